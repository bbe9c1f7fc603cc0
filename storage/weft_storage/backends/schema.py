"""Whether a store has the schema of this program, by the versions it names. Knows no database."""

from collections.abc import Mapping

from weft_storage.backends.codec import FORMAT_VERSION
from weft_storage.model.errors import StoreTooNew, StoreUnavailable


def is_current_schema(url: str, versions: Mapping[str, int], *, schema: int, create: bool, when_empty: str) -> bool:
    """Whether the versions found in a store (none: it is empty) are this program's, whose schema is `schema`.

    An empty or older store is an error unless it may be made (`create`), `when_empty` says how. Raises `StoreTooNew`
    and `StoreUnavailable`.
    """
    for name, ours in (("schema", schema), ("format", FORMAT_VERSION)):
        theirs = versions.get(name, 0)
        if theirs > ours:
            problem = f"{name} {theirs} is newer than this program's {ours}"
            raise StoreTooNew(f"cannot open store '{url}'", problem, "upgrade weft")
    found = versions.get("schema", 0)
    if found < schema and not create:
        problem = f"schema {found} is older than this program's {schema}"
        raise StoreUnavailable(
            f"cannot open store '{url}'",
            problem if found else "it is empty",
            "run `weft store migrate`" if found else when_empty,
        )
    return found == schema
