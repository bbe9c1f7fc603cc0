"""Health: whether everything that a scan needs is there and works. Prints nothing."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from weft.report.documents import Check
from weft_storage.model.languages import Language

_SAMPLES = {
    Language.PYTHON: b"import a\n",
    Language.TYPESCRIPT: b'import "./a"\n',
    Language.TSX: b'import "./a"; const b = <c/>\n',
    Language.JAVASCRIPT: b'import "./a"\n',
    Language.VUE: b'<script>\nimport "./a"\n</script>\n',
    Language.SVELTE: b'<script>\nimport "./a"\n</script>\n',
    Language.ASTRO: b'---\nimport "./a"\n---\n',
    Language.GO: b'package a\nimport "b"\n',
    Language.RUST: b"mod a;\n",
}


def checks(store_url: str, broker_url: str | None = None) -> Iterator[Check]:
    """One check after the other; each says what was seen, or what to do. The broker's only where there is one."""
    yield _check("python", lambda: ".".join(map(str, sys.version_info[:3])))
    yield _check("git", _git_version)
    for language in Language:
        yield _check(f"extractor {language.value}", lambda language=language: _extracts(language))  # type: ignore[misc]
    yield _check("store", lambda: _opens(store_url))
    if broker_url is not None:
        yield _check("broker", lambda: _answers(broker_url))


def heartbeat(path: str, max_age: float) -> Check:
    """Whether a worker touched its heartbeat file in the last `max_age` seconds.

    This is asked every few seconds, for as long as a worker lives: nothing is loaded, no server is spoken to.
    """
    return _check("heartbeat", lambda: _beats(path, max_age))


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name=name, ok=True, detail=look())
    except Exception as problem:  # Whatever is wrong is what the doctor is asked to say.
        return Check(name=name, ok=False, detail=str(problem))


def _beats(path: str, max_age: float) -> str:
    try:
        age = time.time() - os.stat(path).st_mtime
    except FileNotFoundError:
        raise RuntimeError(f"'{path}' does not exist: no worker has begun to write it") from None
    # A clock that was set back would make a dead worker's file look young for as long as it was set back.
    if abs(age) > max_age:
        when = f"{age:.0f} seconds ago" if age > 0 else f"{-age:.0f} seconds in the future"
        raise RuntimeError(f"'{path}' was touched {when}, {max_age:g} are allowed: the worker hangs or is gone")
    return f"{max(age, 0.0):.1f} seconds old"


def _git_version() -> str:
    path = shutil.which("git")
    if path is None:
        raise RuntimeError("git is not on PATH; install it")
    return subprocess.run([path, "--version"], capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _extracts(language: Language) -> str:
    """A small file of the language through a real extractor process, under the default limits."""
    from weft_tasks.crashbox import CrashBox, Limits, Request

    with CrashBox(Limits()) as box:
        outcome = next(box.extract([Request(b"", language, _SAMPLES[language])]))
    if outcome.facts is None:
        raise RuntimeError(outcome.reason)
    return "extracts"


def _opens(url: str) -> str:
    from weft_storage.backends import open_store

    try:
        with open_store(url, create=False) as store:
            return f"{store.url} holds {len(store.projects())} projects"
    except Exception as problem:
        if "does not exist" in str(problem):
            return f"{url} will be made by the first scan"
        raise


def _answers(broker_url: str) -> str:
    from weft_tasks.worker.dispatch import Messages

    Messages(broker_url).check()
    return "answers"
