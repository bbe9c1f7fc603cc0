"""The go command, and the modules of an exported folder made ready for it. Knows no edges.

`go list` works without a network once go.mod files require nothing from outside: such requirements are dropped from the
exported copy, so that a path which only they provide is found nowhere, which is what "outside" means.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance.base import ConformanceError
from conformance.installation import cache
from weft_storage.model.paths import ancestors, basename, parent

# Paths on one command line; Linux takes 128 KiB a word and 2 MiB in all.
_BATCH = 2000

# The path of a module whose go.mod is empty: it keeps its folder out of the module around it.
_NAMELESS = "nameless.invalid/module"


@dataclass(frozen=True, slots=True)
class Go:
    """The go command: where it is, its version without `go`."""

    path: str
    version: str

    @property
    def language(self) -> str:
        """The version of the language that it speaks: 1.26 of 1.26.8."""
        return ".".join(self.version.split(".")[:2])

    def run(self, folder: str, *arguments: str, work: str = "", stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a subcommand in a folder, without network, caches and settings of this machine."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "GIT_"))}
        environment |= {
            "GOENV": "off",
            "GOFLAGS": "",
            "GOPATH": str(cache("go")),
            "GOCACHE": str(cache("go-build")),
            "GOPROXY": "off",
            "GOSUMDB": "off",
            "GOTOOLCHAIN": "local",
            "GO111MODULE": "on",
            "GOWORK": work,
            "CGO_ENABLED": "1",
        }
        return subprocess.run(
            [self.path, *arguments],
            cwd=folder,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
        )


def find_go() -> Go:
    """The go command on PATH. Raises `ConformanceError` where there is none."""
    path = shutil.which("go")
    if path is None:
        raise ConformanceError("go", "is not on PATH", "apt-get install golang-go, or see https://go.dev/dl")
    done = subprocess.run(
        [path, "env", "GOVERSION"], capture_output=True, text=True, env=os.environ | {"GOTOOLCHAIN": "local"}
    )
    return Go(path, done.stdout.strip().removeprefix("go"))


@dataclass(frozen=True, slots=True)
class Mode:
    """How the packages of one module are listed: with which go.work (or `off`), from which modules."""

    work: str
    flag: str


@contextmanager
def stand_ins(root: str, paths: Collection[str]) -> Iterator[list[str]]:
    """The folders of all modules, while a vendor.mod stands as go.mod where there is none (as with `-modfile`)."""
    found = {parent(path) for path in paths if basename(path) == "go.mod"}
    others = {parent(path) for path in paths if basename(path) == "vendor.mod"} - found
    others = {folder for folder in others if is_vendored(root, folder)}
    for folder in others:
        shutil.copyfile(Path(root, folder, "vendor.mod"), Path(root, folder, "go.mod"))
    try:
        yield sorted(found | others)
    finally:
        for folder in others:
            Path(root, folder, "go.mod").unlink()


def prepare(go: Go, root: str, modules: Sequence[str], works: Sequence[str]) -> tuple[dict[str, Mode], dict[str, str]]:
    """Make go.mod and go.work files fit for work without a network.

    Gives how to list from each module's folder, and the folders from which nothing can be listed, with the reason.
    """
    workspaces = {folder: _workspace(go, Path(root, folder, "go.work")) for folder in works}
    modes: dict[str, Mode] = {}
    failed: dict[str, str] = {}
    for folder in modules:
        nearest = next((each for each in dict.fromkeys((folder, *ancestors(folder))) if each in workspaces), None)
        replaced: frozenset[str] = frozenset()
        modes[folder] = Mode("off", "-mod=vendor" if is_vendored(root, folder, workspace=False) else "-mod=mod")
        if nearest is not None and Path(root, folder).resolve() in workspaces[nearest].uses:
            replaced = workspaces[nearest].replaced
            flag = "-mod=vendor" if is_vendored(root, nearest, workspace=True) else "-mod=readonly"
            modes[folder] = Mode(str(Path(root, nearest, "go.work")), flag)
        if modes[folder].flag == "-mod=vendor":
            why = _agree_with_vendor(go, os.path.join(root, folder), modes[folder])
        else:
            why = _drop_outside(go, os.path.join(root, folder), replaced)
        if why:
            failed[folder] = why
    return modes, failed


def is_vendored(root: str, folder: str, *, workspace: bool | None = None) -> bool:
    """Whether dependencies lie beside a manifest: put there by `go work vendor` (`workspace`), by `go mod vendor`."""
    listing = Path(root, folder, "vendor", "modules.txt")
    if not listing.is_file():
        return False
    first = listing.read_text(errors="replace").partition("\n")[0]
    return workspace is None or workspace == (first.startswith("## ") and "workspace" in first[3:].split("; "))


def list_packages(go: Go, folder: str, mode: Mode, paths: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What `go list -e -find` says of import paths, seen from the module in a folder. Raises `ConformanceError`."""
    told: dict[str, dict[str, Any]] = {}
    fields = "Dir,ImportPath,Standard,GoFiles,CgoFiles,IgnoredGoFiles,InvalidGoFiles,TestGoFiles,XTestGoFiles,Error"
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        done = go.run(folder, "list", "-e", "-find", mode.flag, f"-json={fields}", "--", *batch, work=mode.work)
        found = list(_objects(done.stdout))
        if done.returncode or len(found) != len(batch):
            raise ConformanceError("go list", (done.stderr.strip() or "gave no answer")[-500:])
        told.update(zip(batch, found, strict=True))
    return told


def _objects(text: str) -> list[dict[str, Any]]:
    """The JSON values that stand one after the other."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while position < len(text):
        value, position = decoder.raw_decode(text, position)
        found.append(value)
        while position < len(text) and text[position].isspace():
            position += 1
    return found


def _agree_with_vendor(go: Go, folder: str, mode: Mode) -> str:
    """Let a go.mod agree with its modules.txt where it does not: the go command would say nothing else.

    It then requires the very modules that are vendored, and replaces none. Gives what is wrong still.
    """
    stale = "inconsistent vendoring" in go.run(folder, "list", "-mod=vendor", "-m", work=mode.work).stderr
    if not stale or mode.work != "off":
        return "inconsistent vendoring of a workspace" if stale else ""
    listing = Path(folder, "vendor", "modules.txt")
    modules, lines = [], []
    for line in listing.read_text(errors="replace").split("\n"):
        if found := re.match(r"# (\S+) (v\S+)", line):
            modules.append(f"-require={found[1]}@{found[2]}")
            lines += [found[0], "## explicit"]
        elif not line.startswith("#"):
            lines.append(line)
    listing.write_text("\n".join(lines))
    return _drop_outside(go, folder, frozenset()) or _edit(go, folder, modules)


def _drop_outside(go: Go, folder: str, replaced_above: frozenset[str]) -> str:
    """Drop what a go.mod needs from outside; why it cannot be, or nothing."""
    read = go.run(folder, "mod", "edit", "-json", "go.mod", work="off")
    if read.returncode:
        return read.stderr.strip()[-300:]
    written = json.loads(read.stdout)
    replaced = written.get("Replace") or []
    # A folder as the target has no version.
    local = {each["Old"]["Path"] for each in replaced if not each["New"].get("Version")} | replaced_above
    edits = [f"-droprequire={each['Path']}" for each in written.get("Require") or [] if each["Path"] not in local]
    for each in replaced:
        if each["New"].get("Version"):
            old = each["Old"]
            edits.append(f"-dropreplace={old['Path']}" + (f"@{old['Version']}" if old.get("Version") else ""))
    edits += [f"-droptool={each['Path']}" for each in written.get("Tool") or []]
    if not (written.get("Module") or {}).get("Path"):
        edits.append(f"-module={_NAMELESS}")
    return _edit(go, folder, [*edits, f"-go={go.language}", "-toolchain=none"])


def _edit(go: Go, folder: str, edits: Sequence[str]) -> str:
    """Edit a go.mod; what is wrong with that, or nothing."""
    return go.run(folder, "mod", "edit", *edits, "go.mod", work="off").stderr.strip()[-300:]


@dataclass(frozen=True, slots=True)
class _Workspace:
    """What a go.work says: the folders of its modules, and the module paths that it replaces with folders."""

    uses: frozenset[Path]
    replaced: frozenset[str]


def _workspace(go: Go, file: Path) -> _Workspace:
    """Read a go.work, and lift it to the version at hand; one that cannot be read says nothing."""
    go.run(str(file.parent), "work", "edit", f"-go={go.language}", "-toolchain=none", str(file), work="off")
    read = go.run(str(file.parent), "work", "edit", "-json", str(file), work="off")
    written = json.loads(read.stdout) if read.returncode == 0 else {}
    uses = (Path(file.parent, each["DiskPath"]).resolve() for each in written.get("Use") or [])
    replaced = (each["Old"]["Path"] for each in written.get("Replace") or [] if not each["New"].get("Version"))
    return _Workspace(frozenset(uses), frozenset(replaced))
