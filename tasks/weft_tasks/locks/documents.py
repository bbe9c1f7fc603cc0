"""Text of a lockfile or manifest as values, by parsers that never crash and are never slow. Knows no meaning."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pyjson5
import yaml

from weft_tasks.locks.base import Unreadable

# tomllib's time grows with the square of the parts of a dotted key, and with a table's depth for every line in it.
_MAX_TOML_WORK = 20_000_000
# A second or two of work; what people have is a tenth of that.
_MAX_BYTES = 8 << 20
_MAX_LINES = 300_000
_MAX_EVENTS = 1_000_000
_MAX_DEPTH = 100


def decode(source: bytes) -> str:
    """The text of a file. Raises Unreadable, also for one that takes seconds to read."""
    if len(source) > _MAX_BYTES:
        raise Unreadable(f"larger than {_MAX_BYTES} bytes")
    if source.count(b"\n") > _MAX_LINES:
        raise Unreadable(f"of more than {_MAX_LINES} lines")
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None


def read_json(source: bytes) -> dict[str, Any]:
    """A JSON object. Raises Unreadable."""
    try:
        return _table(json.loads(decode(source)), "JSON")
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None


def read_json5(source: bytes) -> dict[str, Any]:
    """A JSON object with comments and trailing commas. Raises Unreadable."""
    try:
        return _table(pyjson5.decode(decode(source), maxdepth=100), "JSON")
    except (pyjson5.Json5Exception, ValueError, RecursionError):
        raise Unreadable("not JSON with comments") from None


def read_toml(source: bytes) -> dict[str, Any]:
    """A TOML document. Raises Unreadable."""
    content = decode(source)
    dots = [line.count(".") for line in content.splitlines() if line.lstrip().startswith("[") or "=" in line]
    keyed = [min(count, 10_000) for count in dots]
    if max(keyed, default=0) > 1000 and sum(count * count for count in keyed) > _MAX_TOML_WORK:
        raise Unreadable("not TOML: keys with too many parts")
    try:
        return tomllib.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("not TOML") from None


def read_yaml(source: bytes) -> dict[str, Any]:
    """A YAML mapping of text, lists and mappings; every scalar is text. Raises Unreadable, also for anchors, aliases
    and tags: no tool that writes lockfiles uses any, and they are how small files become large."""
    try:
        return _table(_compose(yaml.parse(decode(source), Loader=yaml.CBaseLoader)), "YAML")
    except (yaml.YAMLError, ValueError, RecursionError):
        raise Unreadable("not YAML") from None


def _compose(events: Iterator[Any]) -> Any:
    """The value that events of YAML describe: several times faster than the library's constructors."""
    stack: list[tuple[Any, Any]] = []
    value: Any = []
    key: Any = None
    for count, event in enumerate(events):
        if count > _MAX_EVENTS or len(stack) > _MAX_DEPTH:
            raise Unreadable("YAML with too many parts")
        if isinstance(event, yaml.CollectionEndEvent):
            value, key = stack.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise Unreadable("YAML with anchors")
        made: Any = event.value if isinstance(event, yaml.ScalarEvent) else [] if _is_list(event) else {}
        if isinstance(value, dict) and key is None:
            key = (made,) if isinstance(made, str) else ("",)
        elif isinstance(value, dict):
            value[key[0]] = made
            key = None
        else:
            value.append(made)
        if not isinstance(made, str):
            stack.append((value, key))
            value, key = made, None
    return value[0] if value else None


def _is_list(event: Any) -> bool:
    return isinstance(event, yaml.SequenceStartEvent)


def _table(value: Any, kind: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"not a {kind} object")
    return value
