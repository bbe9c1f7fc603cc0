"""Quarantine: contents that end their extractor, remembered with the limits under which they did. Knows no files."""

from collections.abc import Iterable, Mapping

from blake3 import blake3

from weft_storage.backends import Store
from weft_tasks.crashbox import Limits


def quarantined(store: Store, keys: Iterable[bytes], limits: Limits) -> dict[bytes, str]:
    """Those of the fact keys whose extraction is known to fail under the limits, with the reason."""
    by_name = {_name(key, limits): key for key in keys}
    return {by_name[name]: reason for name, reason in store.quarantined(by_name.keys()).items()}


def quarantine(store: Store, reasons: Mapping[bytes, str], limits: Limits) -> None:
    """Remember that the extraction of these contents fails under the limits; idempotent."""
    store.quarantine({_name(key, limits): reason for key, reason in reasons.items()})


def _name(key: bytes, limits: Limits) -> bytes:
    """What failed for want of time or memory is tried again with more of it, and by whoever shares the store.

    `store gc` knows these names for nobody's and drops them: a content is then tried once more.
    """
    return blake3(key + f"{limits.memory} {limits.timeout}".encode()).digest(len(key))
