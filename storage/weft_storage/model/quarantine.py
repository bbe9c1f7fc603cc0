"""The name under which a content that ends its extractor is remembered. Pure."""

from blake3 import blake3

from weft_storage.model.work import Limits


def quarantine_name(key: bytes, limits: Limits) -> bytes:
    """The key of the quarantine for the key of some facts, under limits.

    What failed for want of time or memory is tried again with more of it, and by whoever shares the store.
    `store gc` knows these names for nobody's and drops them: a content is then tried once more.
    """
    return blake3(key + f"{limits.memory} {limits.timeout}".encode()).digest(len(key))
