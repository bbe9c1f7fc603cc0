"""Python: ruff's import map, without and with strings, and grimp."""

from conformance.python.checks import findings
from conformance.python.grimp import Grimp
from conformance.python.predicates import PREDICATES
from conformance.python.ruff import Ruff, RuffStrings

__all__ = ["AUTHORITIES", "PREDICATES", "SUFFIXES", "findings"]

SUFFIXES = (".py", ".pyi")
AUTHORITIES = (Ruff(), RuffStrings(), Grimp())
