"""Messages: what is said over the queue. Ids and digests only; whatever arrives is checked. Knows no Celery."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import msgspec

EXTRACT = "weft.extract"
FINALIZE = "weft.finalize"

_Number = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_Fingerprint = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{1,64}\Z")]


class ExtractMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Carry out a batch. `resent`: outside of the run's chord, so nobody counts it."""

    run_id: _Number
    number: _Number
    fingerprint: _Fingerprint
    resent: bool = False


class FinalizeMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Finalize a run, if all is done."""

    run_id: _Number
    fingerprint: _Fingerprint


AnyMessage = TypeVar("AnyMessage", ExtractMessage, FinalizeMessage)


class MessageRefused(Exception):  # noqa: N818 - an outcome, named as one
    """A message that is not ours to carry out."""


def read_message(kind: type[AnyMessage], arguments: Mapping[str, object], *, own_fingerprint: str) -> AnyMessage:
    """The message in a task's arguments. Raises MessageRefused for anything that this version did not send."""
    try:
        message = msgspec.convert(dict(arguments), kind)
    except msgspec.ValidationError as error:
        raise MessageRefused(f"it makes no sense: {error}") from error
    if message.fingerprint != own_fingerprint:
        raise MessageRefused(f"it is of version {message.fingerprint}, this worker is of {own_fingerprint}")
    return message


def queue_name(queue: str, fingerprint: str) -> str:
    """The queue of one version of the program: workers hear of no work that they would do otherwise."""
    return f"{queue}.{fingerprint}"
