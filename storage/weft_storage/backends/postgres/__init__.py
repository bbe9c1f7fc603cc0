"""Stores in Postgres."""

from weft_storage.backends.postgres.database import PostgresDatabase, is_current, migrate
from weft_storage.backends.postgres.store import PostgresStore

__all__ = ["PostgresDatabase", "PostgresStore", "open_postgres"]


def open_postgres(url: str, *, create: bool = True) -> PostgresStore:
    """The store in the schema `weft` of the database that a `postgresql://` URL names; libpq's environment counts too.

    With `create`, a missing schema is made and an older one is migrated, under a lock; that takes the rights of its
    owner. A current one needs only those of the roles in `sql/postgres/roles.sql`.
    """
    database = PostgresDatabase(url)
    try:
        if not is_current(database, create=create):
            migrate(database)
    except BaseException:
        database.close()
        raise
    return PostgresStore(database)
