"""The Rust toolchain: rustc, cargo and rust-analyzer, run without network, configuration or code of a repository."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache as cached
from pathlib import Path
from types import MappingProxyType

from conformance.base import ConformanceError
from conformance.installation import cache

# No crate takes so long to be read; one that does is hostile.
_SECONDS = 120
_INSTALL = "see https://rustup.rs"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program and its version, as in `1.95.0`."""

    path: str
    version: str

    def run(
        self, folder: str, *arguments: str, variables: Mapping[str, str] = MappingProxyType({})
    ) -> subprocess.CompletedProcess[str]:
        """Run it in a folder, with further variables. Raises `ConformanceError` where it does not end."""
        try:
            return subprocess.run(
                [self.path, *arguments],
                cwd=folder,
                env=environment(self) | dict(variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise ConformanceError(self.path, f"did not end within {_SECONDS} s") from error


def environment(tool: Tool) -> dict[str, str]:
    """The environment of a tool: its own toolchain first, nothing that cargo or rustc would take settings from."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CARGO", "RUST", "GIT_", "__CARGO")) or name == "RUSTUP_HOME"
    }
    return kept | {
        "PATH": f"{parent(tool.path)}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "CARGO_HOME": str(cache("cargo")),
        "CARGO_NET_OFFLINE": "true",
        "RUSTC_BOOTSTRAP": "1",
    }


@cached
def rustc() -> Tool:
    """The compiler. Raises `ConformanceError` where there is none."""
    return _tool("rustc", "install Rust", "--version")


@cached
def cargo() -> Tool:
    """The package manager. Raises `ConformanceError` where there is none."""
    return _tool("cargo", "install Rust", "--version")


@cached
def rust_analyzer() -> Tool:
    """The language server. Raises `ConformanceError` where there is none."""
    return _tool("rust-analyzer", "rustup component add rust-analyzer", "--version")


def parent(path: str) -> str:
    """The folder of a program."""
    return str(Path(path).parent)


def _tool(name: str, remedy: str, *version: str) -> Tool:
    """The first program of that name that works: of rustup's toolchains, else on PATH.

    Not rustup's own program of that name: a file of the repository would tell it which toolchain to use.
    """
    for path in _candidates(name):
        tool = Tool(path, "")
        done = subprocess.run([path, *version], capture_output=True, text=True, env=environment(tool), cwd="/")
        words = done.stdout.split()
        if done.returncode == 0 and len(words) > 1:
            return Tool(path, words[1])
    raise ConformanceError(name, "is neither on PATH nor in a toolchain of rustup", f"{remedy}; {_INSTALL}")


def _candidates(name: str) -> Iterator[str]:
    rustup = shutil.which("rustup")
    if rustup is not None:
        listed = subprocess.run([rustup, "toolchain", "list", "--quiet"], capture_output=True, text=True, cwd="/")
        # A stable release rather than a nightly: figures are to be had again.
        for toolchain in sorted(
            listed.stdout.split(), key=lambda each: ("nightly" in each, not each[0].isdigit(), each)
        ):
            found = subprocess.run(
                [rustup, "which", "--toolchain", toolchain, name], capture_output=True, text=True, cwd="/"
            )
            if found.returncode == 0:
                yield found.stdout.strip()
        return
    path = shutil.which(name)
    if path is not None:
        yield path
