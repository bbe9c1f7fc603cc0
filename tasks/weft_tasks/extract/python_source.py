"""Python source text: raw bytes -> UTF-8 with line feeds, as PEP 263 reads them. Knows no syntax."""

import re
from encodings.aliases import aliases

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# PEP 263: a comment on the first line, or on the second when the first is blank or a comment.
_COOKIE = re.compile(rb"\A(?:[ \t\f]*+(?:#[^\r\n]*+)?(?:\r\n|\n|\r))?[ \t\f]*+#[^\r\n]*?coding[:=][ \t]*+([-\w.]++)")
_UTF8_NAMES = frozenset({"utf_8", "utf8", "u8", "utf", "utf_8_sig", "cp65001", "ascii", "us_ascii"})
# Left out: transformations, and decoders that are not meant for source and can be made slow. Asking `codecs` for any
# name at all would import a module by a name that the repository chose.
_ENCODINGS = frozenset(aliases.values()) | {"cp720", "cp737", "cp874", "cp1006", "koi8_t", "koi8_u"}
_REFUSED = frozenset(
    {
        *("base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec"),
        *("idna", "punycode", "raw_unicode_escape", "unicode_escape", "undefined", "mbcs", "oem"),
        *("utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le"),
    }
)


def readable(source: bytes) -> tuple[bytes, tuple[str, ...]]:
    """The source as UTF-8 without byte order mark and with line feeds only, and problems of its encoding."""
    marked = source.startswith(_BYTE_ORDER_MARK)
    text, problems = _recoded(source[len(_BYTE_ORDER_MARK) :], None) if marked else _recoded(source, _declared(source))
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return text, problems


def _declared(source: bytes) -> str | None:
    """The name in the encoding comment, or None where it is UTF-8."""
    match = _COOKIE.match(source)
    if match is None:
        return None
    name = match[1].decode("ascii", "replace")
    return None if _normalized(name) in _UTF8_NAMES else name


def _normalized(name: str) -> str:
    # Editors append line endings ("utf-8-unix"); Python's tokenizer ignores them for these two families.
    plain = name.lower().replace("-", "_").replace(".", "_")
    if plain.startswith("utf_8_"):
        return "utf_8"
    return "latin_1" if plain.startswith(("latin_1_", "iso_8859_1_", "iso_latin_1_")) else plain


def _recoded(source: bytes, encoding: str | None) -> tuple[bytes, tuple[str, ...]]:
    if encoding is not None:
        module = aliases.get(_normalized(encoding), _normalized(encoding))
        if module in _ENCODINGS and module not in _REFUSED:
            return source.decode(module, "replace").encode("utf-8", "replace"), ()
        return _repaired(source)[0], (f"the encoding {encoding!r} is unknown; read as UTF-8",)
    return _repaired(source)


def _repaired(source: bytes) -> tuple[bytes, tuple[str, ...]]:
    if source.isascii():
        return source, ()
    try:
        source.decode()
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        return source.decode("utf-8", "replace").encode(), (f"line {line}: a byte that is not UTF-8",)
    return source, ()
