"""Resolution of Go imports, by the module rules of the go command."""

from weft_tasks.resolve.go.resolver import RESOLVER

__all__ = ["RESOLVER"]
