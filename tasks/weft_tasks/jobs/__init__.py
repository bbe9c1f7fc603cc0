"""Jobs: extracting contents in batches. Knows crash boxes and readers of contents; knows no store and no run."""

from weft_storage.model.packs import PackError, pack_contents, unpack_contents
from weft_storage.model.quarantine import quarantine_name
from weft_tasks.jobs.batches import batches
from weft_tasks.jobs.extraction import Extracted, extract_batch
from weft_tasks.jobs.fingerprint import fingerprint

__all__ = [
    "Extracted",
    "PackError",
    "batches",
    "extract_batch",
    "fingerprint",
    "pack_contents",
    "quarantine_name",
    "unpack_contents",
]
