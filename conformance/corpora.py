"""Corpora: a commit or folder, exported to a folder of its own that authorities may look at and change."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conformance.base import ConformanceError

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "tests"))

from case_files import CASES, Step, all_cases, read_case  # noqa: E402 - the tests are no installed package

CASE_CORPUS = "tests/cases"

# The exported files are what the commit has, whatever the configuration of this machine or the repository says.
_GIT = ("git", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.fsmonitor=false")


@dataclass(frozen=True, slots=True)
class Corpus:
    """A repository to compare on. `source` at `rev` is what Weft scans; without `rev` it scans the exported folder."""

    name: str
    source: str
    rev: str | None = None


def corpus_of(repository: str, rev: str) -> Corpus:
    """The corpus that a path means: a work tree or bare repository at `rev`, or a plain folder as it is."""
    path = Path(repository)
    if not path.is_dir():
        raise ConformanceError(repository, "is no folder", "give a work tree, a bare repository or a folder")
    commit = _git(path, "rev-parse", "--verify", f"{rev}^{{commit}}")
    return Corpus(_name(path), str(path), commit or None)


@contextmanager
def exported(corpus: Corpus) -> Iterator[str]:
    """A folder with the files of a corpus, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="weft-conformance-") as temporary:
        root = Path(temporary).resolve() / "root"
        if corpus.rev is None:
            shutil.copytree(corpus.source, root, symlinks=True)
        else:
            _check_out(corpus.source, corpus.rev, root, index=Path(temporary, "index"))
        yield str(root)


@dataclass(frozen=True, slots=True)
class CaseCorpus:
    """One step of a case file; its name says which."""

    name: str
    step: Step


def case_corpora(language: str) -> Iterator[CaseCorpus]:
    """Every step of every case file of a language, but for those whose settings change what edges are."""
    for path in all_cases():
        if path.relative_to(CASES).parts[0] == language:
            case = read_case(path)
            if not case.settings:
                for number, step in enumerate(case.steps):
                    yield CaseCorpus(f"{path.relative_to(CASES)}#{number}", step)


@contextmanager
def kept(root: str, paths: Iterable[str]) -> Iterator[None]:
    """Files of an exported folder that may be changed meanwhile, and are as they were afterwards."""
    contents = {file: file.read_bytes() for path in paths if _is_plain(file := Path(root, path))}
    try:
        yield
    finally:
        for file, content in contents.items():
            if not file.is_file() or file.read_bytes() != content:
                file.write_bytes(content)


def write_step(step: Step, folder: str) -> None:
    """Write the repository of a step into a folder."""
    for name, text in step.files.items():
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, target in step.links.items():
        link = Path(folder, name)
        link.parent.mkdir(parents=True, exist_ok=True)
        # Case files give the target from the root; on disk a link is relative to its own folder.
        link.symlink_to(os.path.relpath(Path(folder, target), link.parent))


def _is_plain(file: Path) -> bool:
    """Whether it is a file and no link, which may lead anywhere."""
    return file.is_file() and not file.is_symlink()


def _name(path: Path) -> str:
    """`owner/name` where the folder above is called `owner+name` or a remote tells it, else the folder's name."""
    url = _git(path, "config", "--get", "remote.origin.url")
    if url and not Path(url).exists():
        return "/".join(url.removesuffix(".git").replace(":", "/").split("/")[-2:])
    absolute = path.resolve()
    plain = absolute.parent.name if absolute.name in ("repo", ".git") else absolute.name
    return plain.removesuffix(".git").replace("+", "/", 1)


def _git(path: Path, *arguments: str) -> str:
    """What git says, empty where it fails. A folder inside another repository is a plain folder."""
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(path.resolve().parent)}
    done = subprocess.run([*_GIT, "-C", str(path), *arguments], capture_output=True, text=True, env=environment)
    return done.stdout.strip() if done.returncode == 0 else ""


def _check_out(source: str, rev: str, root: Path, *, index: Path) -> None:
    """Write the files of a commit. Not `git archive`: that leaves out what `export-ignore` names."""
    root.mkdir()
    folder = _git(Path(source), "rev-parse", "--absolute-git-dir")
    environment = os.environ | {"GIT_INDEX_FILE": str(index), "GIT_LFS_SKIP_SMUDGE": "1"}
    git = [*_GIT, f"--git-dir={folder}", f"--work-tree={root}"]
    for arguments in (["read-tree", rev], ["checkout-index", "--all", "--force"], ["ls-files", "-z"]):
        done = subprocess.run([*git, *arguments], capture_output=True, env=environment, cwd=root)
        # Partial clones lack blobs, mostly of large data: those files are empty in the export.
        if done.returncode and b"unable to read sha1 file" not in done.stderr:
            problem = done.stderr.decode(errors="replace").strip()
            raise ConformanceError(source, f"cannot be exported at {rev}: {problem}")
    for name in map(os.fsdecode, done.stdout.split(b"\0")[:-1]):
        file = root / name
        if not os.path.lexists(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
