"""Real servers and a whole distributed Weft on one machine, without docker. Knows nothing of scans or graphs."""

from weft.stack.errors import StackError
from weft.stack.servers import PostgresServer, RedisServer

__all__ = ["PostgresServer", "RedisServer", "StackError"]
