"""Quarantine: contents that end their extractor, remembered with the limits under which they did. Knows no files."""

from collections.abc import Iterable, Mapping

from weft_storage.backends import Store
from weft_storage.model.work import Limits
from weft_tasks.jobs import quarantine_name


def quarantined(store: Store, keys: Iterable[bytes], limits: Limits) -> dict[bytes, str]:
    """Those of the fact keys whose extraction is known to fail under the limits, with the reason."""
    by_name = {quarantine_name(key, limits): key for key in keys}
    return {by_name[name]: reason for name, reason in store.quarantined(by_name.keys()).items()}


def quarantine(store: Store, reasons: Mapping[bytes, str], limits: Limits) -> None:
    """Remember that the extraction of these contents fails under the limits; idempotent."""
    store.quarantine({quarantine_name(key, limits): reason for key, reason in reasons.items()})
