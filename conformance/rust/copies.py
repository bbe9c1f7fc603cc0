"""A copy of a repository in which every `#[cfg]` holds, line by line as it was. Knows no crate.

Weft reads what the text names under any condition; rustc and rust-analyzer read one configuration. In the copy all
conditional items are there at once, so that both sides speak of the same text.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Configuration of tools; build outputs; other tools' histories.
_LEFT_OUT = frozenset({".git", ".cargo", "target", "rust-toolchain", "rust-toolchain.toml", "clippy.toml"})

_CFG = re.compile(rb"#\s*+!?+\s*+\[\s*+(?P<cfg>cfg\s*+\()")
_SIGN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[()]', re.S)
_NOT_A_LINE = re.compile(rb"[^\n]")


@contextmanager
def unconditional(root: str) -> Iterator[str]:
    """A folder with the repository's files, without the conditions of its Rust files; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as temporary:
        copy = str(Path(temporary).resolve() / "root")
        shutil.copytree(root, copy, symlinks=True, ignore=_left_out, copy_function=_copy)
        yield copy


def without_conditions(source: bytes) -> bytes:
    """The text with blanks for its `#[cfg(…)]`; positions stay what they are."""
    blanked = bytearray(source)
    for match in _CFG.finditer(source):
        end = _end_of_attribute(source, match.end("cfg"))
        if end is not None:
            start = match.start()
            blanked[start:end] = _NOT_A_LINE.sub(b" ", source[start:end])
    return bytes(blanked)


def _end_of_attribute(source: bytes, position: int) -> int | None:
    """Behind the `]` of an attribute whose first bracket opens before a position."""
    depth = 1
    for sign in _SIGN.finditer(source, position):
        depth += {b"(": 1, b")": -1}.get(sign[0], 0)
        if depth == 0:
            closing = re.compile(rb"\s*+,?+\s*+\]").match(source, sign.end())
            return closing.end() if closing else None
    return None


def _left_out(folder: str, names: list[str]) -> set[str]:
    del folder
    return set(names) & _LEFT_OUT


def _copy(source: str, target: str) -> str:
    """Write a Rust file without conditions; link any other, which nobody writes to."""
    if source.endswith(".rs"):
        Path(target).write_bytes(without_conditions(Path(source).read_bytes()))
    else:
        os.link(source, target)
    return target
