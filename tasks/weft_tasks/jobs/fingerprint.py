"""The identity of the program as far as batches and runs depend on it. Knows no queue."""

from functools import cache

from blake3 import blake3

from weft_storage.model.languages import Language
from weft_tasks.extract import extractor_identity
from weft_tasks.locks import LOCKS_VERSION
from weft_tasks.resolve import RESOLVER_VERSIONS

PROTOCOL_VERSION = 1
"""Raised whenever batches, prepared runs or messages are written otherwise."""


@cache
def fingerprint() -> str:
    """Equal fingerprints: one may carry out what the other planned, with the same outcome. 12 hex digits."""
    parts = [f"protocol/{PROTOCOL_VERSION}", *(extractor_identity(language) for language in Language)]
    parts += [f"{family.value}/{number}" for family, number in sorted(RESOLVER_VERSIONS.items())]
    parts.append(f"locks/{LOCKS_VERSION}")
    return blake3("\n".join(parts).encode()).hexdigest(6)
