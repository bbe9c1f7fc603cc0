"""Classes of difference between Weft and Rust's tools, recognised by their circumstances."""

from collections.abc import Mapping

from conformance.base import Predicate

PREDICATES: Mapping[str, Predicate] = {}
