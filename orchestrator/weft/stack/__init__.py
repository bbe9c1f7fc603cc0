"""Real servers and a whole distributed Weft on one machine, without docker. Knows nothing of scans or graphs."""

from weft.stack.errors import StackError
from weft.stack.servers import PostgresServer, RedisServer
from weft.stack.stack import Plan, down, find, up
from weft.stack.state import Service, Stack, default_folder

__all__ = [
    "Plan",
    "PostgresServer",
    "RedisServer",
    "Service",
    "Stack",
    "StackError",
    "default_folder",
    "down",
    "find",
    "up",
]
