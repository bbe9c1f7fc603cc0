"""The identity of all that a run's result depends on beside the files: settings, links, versions of the program."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version

from blake3 import blake3
from msgspec import json

from weft_storage.model.languages import Language
from weft_storage.model.settings import Settings
from weft_tasks.extract import extractor_identity
from weft_tasks.resolve import RESOLVER_VERSIONS


@cache
def program_version() -> str:
    """The version of this program."""
    return version("weft")


def epoch_of(settings: Settings, links: Mapping[str, str]) -> str:
    """Equal epochs: what was found under one may be kept under the other."""
    linked = repr(sorted(links.items())).encode("utf-8", "surrogateescape")
    return blake3(_versions(settings) + linked).hexdigest(16)


def token_of(snapshot_token: str, settings: Settings) -> str:
    """Equal tokens: equal graphs. The snapshot's token stands for its links too."""
    return blake3(_versions(settings) + snapshot_token.encode()).hexdigest(16)


def _versions(settings: Settings) -> bytes:
    versions = [extractor_identity(language) for language in Language]
    versions += [f"{family.value}/{number}" for family, number in RESOLVER_VERSIONS.items()]
    return json.encode((settings, versions)) + b"\0"
