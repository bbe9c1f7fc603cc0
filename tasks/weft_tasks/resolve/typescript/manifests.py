"""Manifests: JSON and YAML text -> checked plain values. Knows the meaning of no field."""

from typing import Any

import msgspec
import pyjson5
import yaml

# What is nested deeper than this means nothing in any manifest.
_MAX_DEPTH = 32
_BOM = b"\xef\xbb\xbf"
# A workspace file is a list of globs; a larger one is not worth a YAML parser's time.
_MAX_YAML = 256 * 1024


class UnreadableManifest(ValueError):  # noqa: N818 - a state of the file
    """The text of a manifest is not what it should be; the message is the problem."""


def read_json(data: bytes) -> dict[str, Any]:
    """The object in strict JSON (package.json, lerna.json). Raises UnreadableManifest."""
    try:
        return _object(msgspec.json.decode(data.removeprefix(_BOM)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise UnreadableManifest(f"is not JSON: {_reason(exc)}") from exc


def read_json_with_comments(data: bytes) -> dict[str, Any]:
    """The object in JSON with comments and trailing commas (tsconfig.json). Raises UnreadableManifest."""
    text = data.removeprefix(_BOM).decode("utf-8", "replace")
    if not text.strip():  # An empty tsconfig.json is a project with default options.
        return {}
    try:
        return _object(pyjson5.decode(text, maxdepth=_MAX_DEPTH))
    except (pyjson5.Json5Exception, ValueError, RecursionError) as exc:
        raise UnreadableManifest(f"is not JSON with comments: {_reason(exc)}") from exc


def read_yaml(data: bytes) -> dict[str, Any]:
    """The mapping in YAML (pnpm-workspace.yaml). Raises UnreadableManifest."""
    if len(data) > _MAX_YAML or data.count(b"[") + data.count(b"{") > 1000:
        raise UnreadableManifest("is too large or too deeply nested")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = yaml.load(data, loader)  # noqa: S506 - either is a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise UnreadableManifest(f"is not YAML: {_reason(exc)}") from exc
    return {} if value is None else _object(value)


def text(value: object) -> str:
    """The value where it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """The strings of a list; a single string counts as a list of one."""
    if isinstance(value, str):
        return (value,)
    return tuple(each for each in value if isinstance(each, str)) if isinstance(value, list) else ()


def mapping(value: object) -> dict[str, Any]:
    """The value where it is an object, else an empty one."""
    return {key: each for key, each in value.items() if isinstance(key, str)} if isinstance(value, dict) else {}


def cleaned(value: object, depth: int = 0) -> Any:
    """The value with everything but objects, lists, strings, false and null taken out (numbers mean nothing)."""
    if isinstance(value, str) or value is False:
        return value
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return {key: cleaned(each, depth + 1) for key, each in value.items() if isinstance(key, str)}
    if depth < _MAX_DEPTH and isinstance(value, list):
        return [cleaned(each, depth + 1) for each in value]
    return None


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UnreadableManifest("does not hold an object")
    return value


def _reason(exc: BaseException) -> str:
    return str(exc.args[0] if exc.args else exc).partition("\n")[0][:200]
