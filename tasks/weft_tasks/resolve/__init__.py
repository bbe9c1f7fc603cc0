"""Resolution: imports of a file -> files of the repository. Sees names, never contents."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import cast

from weft_storage.model.languages import Family
from weft_tasks.resolve.base import Resolver

RESOLVER_VERSIONS: Mapping[Family, int] = {
    Family.PYTHON: 5,
    Family.TYPESCRIPT: 3,
    Family.GO: 2,
    Family.RUST: 5,
}
"""Raised whenever the same repository may resolve otherwise: every importer is then resolved again. They stand here,
not in the resolvers, because a scan without changes must compare them and should load no resolver for that."""


@cache
def resolver_of(family: Family) -> Resolver:
    """The resolver of a language family: `RESOLVER` of its package, imported at first use."""
    return cast(Resolver, import_module(f"weft_tasks.resolve.{family.value}").RESOLVER)
