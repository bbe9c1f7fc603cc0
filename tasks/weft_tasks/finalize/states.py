"""Reading the states of a published graph from a store."""

from typing import TypeVar

import msgspec

from weft_storage.backends import Store
from weft_storage.model.states import STATE_NAMES, decode_state

T = TypeVar("T", bound=msgspec.Struct)


def load_state(store: Store, project: str, kind: type[T], *, at: int | None = None) -> T:
    """A state of the published graph of a project (or of the graph of an earlier run)."""
    return decode_state(store.state(project, STATE_NAMES[kind], at=at), kind)
