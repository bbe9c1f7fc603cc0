"""Repositories for tests: folders of files, edited step by step, scanned into a kept store and into a fresh one."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weft.configuration import settings_of
from weft.pipeline import Options, analyze
from weft.verification import differences
from weft_storage.backends import Store, open_store
from weft_storage.model.edges import Edge
from weft_storage.model.runs import Run

PROJECT = "test"

GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.invalid",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}
"""Nobody's configuration, and the same author and time for every commit."""


@dataclass
class Repository:
    """A folder under test and the store that is kept over its edits."""

    root: Path
    store: Store

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write files, making their folders."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def delete(self, *names: str) -> None:
        """Delete files or folders, and the folders that are empty then."""
        for name in names:
            path = self.root / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
            while path.parent != self.root and not any(path.parent.iterdir()):
                path = path.parent
                path.rmdir()

    def git(self, *arguments: str) -> str:
        """Run git in the folder."""
        return subprocess.run(
            ["git", "-C", str(self.root), *arguments],
            env={**os.environ, **GIT_ENVIRONMENT},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def commit(self, message: str = "edit") -> str:
        """Commit everything; the id of the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def scan(self, store: Store | None = None, *, rev: str | None = None, jobs: int = 1, full: bool = False) -> Run:
        """Scan into the kept store, or into another."""
        settings = settings_of(str(self.root), rev)
        options = Options(PROJECT, rev=rev, jobs=jobs, full=full, lock_timeout=5)
        return analyze(store or self.store, str(self.root), settings, options)

    def edges(self) -> list[Edge]:
        """The edges of the kept store."""
        return list(self.store.edges(PROJECT))

    def pairs(self) -> set[tuple[str, str]]:
        """(importer, imported) of the kept store's edges."""
        return {(edge.importer, edge.imported) for edge in self.edges()}

    def differences(self, *, rev: str | None = None) -> list[str]:
        """In what the kept store differs from one made from nothing now."""
        with open_store("memory://") as fresh:
            self.scan(fresh, rev=rev)
            found = list(differences(self.store, fresh, PROJECT))
        return [f"{each.kind} {each.what}: {each.detail}, stored {each.stored}, right {each.right}" for each in found]
