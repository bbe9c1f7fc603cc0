"""TypeScript and JavaScript: the compiler's own resolution, and oxc-resolver."""

from conformance.typescript.checks import findings
from conformance.typescript.predicates import PREDICATES
from conformance.typescript.resolvers import READ, Oxc, TypeScript

__all__ = ["AUTHORITIES", "PREDICATES", "SUFFIXES", "findings"]

SUFFIXES = READ
AUTHORITIES = (TypeScript(), Oxc())
