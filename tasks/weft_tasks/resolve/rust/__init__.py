"""Rust: manifests and targets, the module tree, and the names that paths go by."""

from weft_tasks.resolve.rust.resolver import RustResolver

RESOLVER = RustResolver()
