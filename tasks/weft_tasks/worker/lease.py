"""The lease of a claim, renewed while its batch is carried out."""

import time

from weft_storage.backends import WorkStore
from weft_storage.model.errors import StoreUnavailable
from weft_storage.model.work import Claim

# After a store did not answer: asking costs seconds then, and files go on meanwhile.
_PAUSE = 3.0


class Lease:
    """Holds a batch for its process. Renewed when a third of its time has passed, whenever somebody asks.

    A store that is away does not end a lease: the batch goes on, and its completion is what counts or does not.
    """

    def __init__(self, work: WorkStore, claim: Claim) -> None:
        self._work = work
        self._claim = claim
        self._renew_at = time.monotonic() + claim.terms.lease / 3
        self.ends = time.monotonic() + claim.terms.lease
        self.lost = False

    def is_lost(self) -> bool:
        """Whether the batch is nobody's of ours any more: the run is over, or another has claimed it."""
        now = time.monotonic()
        if self.lost or now < self._renew_at:
            return self.lost
        try:
            self.lost = not self._work.renew(self._claim)
        except StoreUnavailable:
            self._renew_at = time.monotonic() + _PAUSE
            return False
        self._renew_at = now + self._claim.terms.lease / 3
        self.ends = now + self._claim.terms.lease
        return self.lost
