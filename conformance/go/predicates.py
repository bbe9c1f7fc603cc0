"""Classes of difference between Weft and `go list`, recognised by their circumstances."""

from collections.abc import Mapping

from conformance.base import Predicate

PREDICATES: Mapping[str, Predicate] = {}
