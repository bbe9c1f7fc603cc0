"""Go: `go list` for where imports lead, Go's own parser for what they are."""

from conformance.go.checks import findings
from conformance.go.go_list import GoList
from conformance.go.predicates import PREDICATES

__all__ = ["AUTHORITIES", "PREDICATES", "SUFFIXES", "findings"]

SUFFIXES = (".go",)
AUTHORITIES = (GoList(),)
