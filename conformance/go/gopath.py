"""GOPATH mode: where the imports of files beneath no go.mod lead, as go/build finds them. Knows no module.

The exported folder is moved into a GOPATH for that time, to the import path that its import comments tell (as go/build
reads them), or that a manifest of godep, govendor or glide does; else to a name that nothing imports.
"""

import json
import os
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from conformance.base import ConformanceError
from weft_storage.model.paths import ancestors, basename, parent

_NAMELESS = "nameless.invalid/repository"
_GODEP = "Godeps/_workspace"
_MANIFESTS = {
    "Godeps/Godeps.json": re.compile(r'"ImportPath"\s*:\s*"([^"]+)"'),
    "vendor/vendor.json": re.compile(r'"rootPath"\s*:\s*"([^"]+)"'),
    "glide.yaml": re.compile(r"(?m)^package:\s*(\S+)"),
}


def find_packages(
    program: str, root: str, folders: Iterable[str], asked: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What go/build says of (folder of the importer, import path). `Dir` is as if the folder had never moved.

    `folders` are those whose import comments may tell the repository's own path.
    """
    by_path: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    asked = sorted(set(asked))
    name = _own_path(program, root, folders) or _NAMELESS
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with _moved(root, name) as (gopath, place):
        for folder, path in asked:
            by_path[os.pathsep.join([gopath, *_inner_gopaths(place, folder)])].append((folder, path))
        for entries, group in by_path.items():
            told = _resolve(program, entries, [(os.path.join(place, folder), path) for folder, path in group])
            for key, package in zip(group, told, strict=True):
                inside = os.path.relpath(package["Dir"], place) if package["Dir"] else ""
                found[key] = package | {"Dir": os.path.join(root, inside) if inside else ""}
    return found


def _own_path(program: str, root: str, folders: Iterable[str]) -> str:
    """The import path of the repository's root, by that of one of its folders; empty where nothing tells it."""
    named = [each for each in sorted(set(folders)) if not {"vendor", "testdata", "Godeps"} & set(each.split("/"))]
    told = _resolve(program, "", [(os.path.join(root, folder), ".") for folder in named])
    commented = [(folder, str(package["ImportComment"])) for folder, package in zip(named, told, strict=True)]
    above = sorted({each for folder in named for each in (folder, *ancestors(folder))})
    for folder, path in (*_written(root, above), *commented):
        if path and f"/{path}".endswith(f"/{folder}" if folder else ""):
            return path.removesuffix(folder).rstrip("/")
    return ""


def _written(root: str, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(folder, import path) that the manifests of older tools tell."""
    for folder in folders:
        for manifest, pattern in _MANIFESTS.items():
            file = Path(root, folder, manifest)
            if file.is_file() and (found := pattern.search(file.read_text(errors="replace"))):
                yield folder, found[1]


@contextmanager
def _moved(root: str, name: str) -> Iterator[tuple[str, str]]:
    """(GOPATH, folder in it) while the folder stands there."""
    with tempfile.TemporaryDirectory(dir=parent(root), prefix="gopath-") as gopath:
        place = Path(gopath, "src", name)
        place.parent.mkdir(parents=True)
        os.rename(root, place)
        try:
            yield gopath, str(place)
        finally:
            os.rename(place, root)


def _inner_gopaths(place: str, folder: str) -> Iterator[str]:
    """The GOPATHs inside the repository that a folder sees: above each `src`, and those of godep."""
    folders = [folder, *ancestors(folder)]
    yield from (os.path.join(place, parent(each)) for each in folders if basename(each) == "src")
    yield from (godep for each in folders if os.path.isdir(godep := os.path.join(place, each, _GODEP)))


def _resolve(program: str, gopath: str, asked: Iterable[tuple[str, str]]) -> list[dict[str, Any]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GO")}
    done = subprocess.run(
        [program, "resolve"],
        input="".join(f"{folder}\t{path}\n" for folder, path in asked),
        env=environment | {"GO111MODULE": "off", "GOPATH": gopath or "/nowhere", "CGO_ENABLED": "1"},
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ConformanceError("go/build", f"failed: {done.stderr.strip()[-500:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]
