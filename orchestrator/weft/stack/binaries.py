"""Where the programs of Postgres and Redis are: on PATH, where Debian keeps them, or in wheels. Starts nothing."""

import glob
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from weft.stack.accounts import reachable
from weft.stack.errors import StackError
from weft.stack.wheels import POSTGRES_WHEEL, REDIS_WHEEL, Wheel, unpacked

DEBIAN_POSTGRES = "/usr/lib/postgresql/*/bin"


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    """The two programs that a server of one's own needs, of one version."""

    initdb: str
    postgres: str


def postgres_programs() -> PostgresPrograms:
    """The first Postgres of: PATH, the newest of Debian's folders, the wheel. Raises `StackError` where none is."""
    for folder in _postgres_folders():
        found = _programs_in(folder)
        if found is not None:
            return found
    wheel = _from_wheel(POSTGRES_WHEEL, "PostgreSQL (the package 'postgresql'; its service need not run)")
    return PostgresPrograms(initdb=os.path.join(wheel, "initdb"), postgres=os.path.join(wheel, "postgres"))


def redis_program() -> str:
    """The first of: redis-server on PATH, valkey-server on PATH, the wheel's. Raises `StackError` where none is."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _usable(found):
            return os.path.realpath(found)
    wheel = _from_wheel(REDIS_WHEEL, "Redis or Valkey (the package 'redis-server'; its service need not run)")
    return os.path.join(wheel, "redis-server")


def _postgres_folders() -> Iterator[str]:
    found = shutil.which("postgres")
    if found:
        # A link to the program alone is common; initdb lies beside the program itself.
        yield os.path.dirname(os.path.realpath(found))
    yield from sorted(glob.glob(DEBIAN_POSTGRES), key=_version, reverse=True)


def _version(folder: str) -> tuple[int, ...]:
    name = os.path.basename(os.path.dirname(folder))
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def _programs_in(folder: str) -> PostgresPrograms | None:
    programs = PostgresPrograms(initdb=os.path.join(folder, "initdb"), postgres=os.path.join(folder, "postgres"))
    return programs if _usable(programs.initdb) and _usable(programs.postgres) else None


def _usable(program: str) -> bool:
    return os.access(program, os.X_OK) and reachable(program)


def _from_wheel(wheel: Wheel, instead: str) -> str:
    try:
        return unpacked(wheel)
    except StackError as error:
        problem = f"is not on PATH, and the {error.subject} does not help: {error.problem}"
        raise StackError(instead.split(" (")[0], problem, f"install {instead}") from error
