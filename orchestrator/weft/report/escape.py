"""Escaping of names that an analyzed repository chose: they may hold any bytes. Knows no format's own quoting."""

import re

_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# What XML forbids or a terminal obeys, and the backslash that escapes it; tabs and newlines are left to the format.
_UNSAFE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\\\\\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text on one line, without anything that a terminal obeys or a reader cannot see.

    Control, format and unassigned characters become `\\x1b` or `\\u202e`, bytes that are not UTF-8 `\\xff`, a backslash
    two: different texts stay different. All else, letters of any script among it, stays.
    """
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escape, text))


def storable(text: str) -> str:
    """The text as any text file can hold it: unchanged, tabs and newlines too, or `printable` where that is not so."""
    return printable(text) if _UNSAFE.search(text) else text


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a surrogate escape stands for a byte
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
