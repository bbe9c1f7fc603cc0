"""Health: whether everything that a scan needs is there and works. Prints nothing."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

from weft.report.documents import Check
from weft_storage.backends import open_store
from weft_storage.model.languages import Language
from weft_tasks.crashbox import CrashBox, Limits, Request

_SAMPLES = {
    Language.PYTHON: b"import a\n",
    Language.TYPESCRIPT: b'import "./a"\n',
    Language.TSX: b'import "./a"; const b = <c/>\n',
    Language.JAVASCRIPT: b'import "./a"\n',
    Language.GO: b'package a\nimport "b"\n',
    Language.RUST: b"mod a;\n",
}


def checks(store_url: str) -> Iterator[Check]:
    """One check after the other; each says what was seen, or what to do."""
    yield _check("python", lambda: ".".join(map(str, sys.version_info[:3])))
    yield _check("git", _git_version)
    for language in Language:
        yield _check(f"extractor {language.value}", lambda language=language: _extracts(language))  # type: ignore[misc]
    yield _check("store", lambda: _opens(store_url))


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except Exception as problem:  # Whatever is wrong is what the doctor is asked to say.
        return Check(name=name, ok=False, detail=str(problem))


def _git_version() -> str:
    path = shutil.which("git")
    if path is None:
        raise RuntimeError("git is not on PATH; install it")
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _extracts(language: Language) -> str:
    """A small file of the language through a real extractor process, under the default limits."""
    with CrashBox(Limits()) as box:
        outcome = next(box.extract([Request(b"", language, _SAMPLES[language])]))
    if outcome.facts is None:
        raise RuntimeError(outcome.reason)
    return "extracts"


def _opens(url: str) -> str:
    try:
        with open_store(url, create=False) as store:
            return f"{store.url} holds {len(store.projects())} projects"
    except Exception as problem:
        if "does not exist" in str(problem):
            return f"{url} will be made by the first scan"
        raise
