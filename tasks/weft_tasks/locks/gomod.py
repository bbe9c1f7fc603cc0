"""go.mod and go.sum.

go.mod names the versions that are built with (since Go 1.17 all of them), go.sum the hashes of their contents.
"""

import re

from weft_tasks.locks.base import Builder, Extent, Lock, Unreadable
from weft_tasks.locks.documents import decode

_GO = re.compile(r"1\.(\d{1,4})")
_COMPLETE_SINCE = 17

STANDARD_LIBRARY = "std"


def read_module(source: bytes) -> Lock:
    """What a go.mod requires, replacements applied. Raises Unreadable."""
    required: dict[str, str] = {}
    replaced: dict[tuple[str, str], str] = {}
    go = toolchain = ""
    for verb, words in _statements(decode(source)):
        match verb, words:
            case "require", [module, version, *_]:
                required[module] = version
            case "replace", [module, "=>", *target]:
                replaced[module, ""] = " ".join(target[:2])
            case "replace", [module, version, "=>", *target]:
                replaced[module, version] = " ".join(target[:2])
            case "go", [go]:
                pass
            case "toolchain", [toolchain]:
                pass
    minor = _GO.match(go)
    is_complete = minor is not None and int(minor[1]) >= _COMPLETE_SINCE
    builder = Builder(Extent.FLAT if is_complete else Extent.DIRECT)
    for module, version in required.items():
        other = replaced.get((module, version)) or replaced.get((module, ""))
        builder.add(module, module, f"{version} => {other}" if other else version)
    if go or toolchain:
        # The language's version, with which the standard library comes.
        builder.add(STANDARD_LIBRARY, STANDARD_LIBRARY, " ".join(filter(None, (go, toolchain))))
    return builder.build()


def read_sums(source: bytes) -> Lock:
    """The contents that a go.sum vouches for. Raises Unreadable."""
    builder = Builder(Extent.FLAT)
    for line in decode(source).splitlines():
        match line.split():
            case [module, version, digest]:
                if not version.endswith("/go.mod"):  # Only the contents of modules are built.
                    builder.add((module, version, digest), module, version, digest)
            case []:
                pass
            case _:
                raise Unreadable("not a go.sum")
    return builder.build()


def _statements(content: str) -> list[tuple[str, list[str]]]:
    """(verb, words) of each line, blocks unfolded."""
    found = []
    block = ""
    for line in content.splitlines():
        words = [word.strip('"`') for word in line.partition("//")[0].split()]
        if not words:
            continue
        if block:
            if words == [")"]:
                block = ""
            else:
                found.append((block, words))
        elif words[-1] == "(":
            block = words[0]
        else:
            found.append((words[0], words[1:]))
    return found
