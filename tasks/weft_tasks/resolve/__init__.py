"""Resolution: imports of a file -> files of the repository. Sees names, never contents."""

from functools import cache
from importlib import import_module
from typing import cast

from weft_storage.model.languages import Family
from weft_tasks.resolve.base import Resolver


@cache
def resolver_of(family: Family) -> Resolver:
    """The resolver of a language family: `RESOLVER` of its package, imported at first use."""
    return cast(Resolver, import_module(f"weft_tasks.resolve.{family.value}").RESOLVER)
