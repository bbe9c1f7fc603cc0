"""Rust: rustc for module trees, cargo for packages, rust-analyzer for paths."""

from conformance.rust.analyzer import RustAnalyzer
from conformance.rust.checks import findings
from conformance.rust.dep_info import DepInfo
from conformance.rust.packages import CargoMetadata
from conformance.rust.predicates import PREDICATES

__all__ = ["AUTHORITIES", "PREDICATES", "SUFFIXES", "findings"]

SUFFIXES = (".rs",)
AUTHORITIES = (CargoMetadata(), DepInfo(), RustAnalyzer())
