"""The script that fills the volume of mirrors, with real git: a mirror is whole or not there, secrets stay files."""

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "k8s" / "project" / "fetch.sh"

Fetch = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """A repository with one commit on `main`."""
    origin = tmp_path / "origin"
    git(tmp_path, "init", "--quiet", "--initial-branch", "main", str(origin))
    commit(origin, "first")
    return origin


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """The volume of mirrors."""
    folder = tmp_path / "repositories"
    folder.mkdir()
    return folder


@pytest.fixture
def fetch(origin: Path, volume: Path) -> Fetch:
    """Runs the script as its container does, but for the transport: here it is by file."""

    def run(*, code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
        settings = {"WEFT_REPOSITORIES": str(volume), "PROJECT": "monorepo", "REMOTE": str(origin)}
        settings |= {"GIT_ALLOW_PROTOCOL": "file", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["/bin/sh", SCRIPT], env=os.environ | settings | variables, capture_output=True, text=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done

    return run


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=weft", "-c", "user.email=weft@example.org")
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def commit(folder: Path, message: str) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def test_the_first_fetch_makes_a_bare_mirror(fetch: Fetch, origin: Path, volume: Path) -> None:
    fetch()
    assert git(volume / "monorepo.git", "rev-parse", "--is-bare-repository") == "true"
    assert git(volume / "monorepo.git", "rev-parse", "main") == git(origin, "rev-parse", "main")


def test_later_fetches_follow_commits_and_branches(fetch: Fetch, origin: Path, volume: Path) -> None:
    git(origin, "branch", "old")
    fetch()
    newest = commit(origin, "second")
    git(origin, "branch", "--delete", "--quiet", "old")
    fetch()
    assert git(volume / "monorepo.git", "rev-parse", "main") == newest
    assert git(volume / "monorepo.git", "branch", "--list", "old") == ""


def test_a_remote_that_moved_is_followed(fetch: Fetch, origin: Path, volume: Path) -> None:
    fetch()
    moved = origin.rename(origin.with_name("moved"))
    newest = commit(moved, "second")
    fetch(REMOTE=str(moved))
    assert git(volume / "monorepo.git", "rev-parse", "main") == newest


def test_what_a_killed_fetch_left_is_not_taken_for_a_mirror(fetch: Fetch, origin: Path, volume: Path) -> None:
    (volume / "monorepo.git.new").mkdir()
    (volume / "monorepo.git.new" / "HEAD").write_text("half")
    fetch()
    assert [each.name for each in volume.iterdir()] == ["monorepo.git"]


def test_a_fetch_that_fails_leaves_no_mirror_and_harms_none(fetch: Fetch, origin: Path, volume: Path) -> None:
    fetch(code=128, REMOTE=f"{origin}-that-is-not-there")
    assert not (volume / "monorepo.git").exists()
    fetch()
    before = git(volume / "monorepo.git", "rev-parse", "main")
    assert fetch(code=1, REMOTE=f"{origin}-that-is-not-there").stderr
    assert git(volume / "monorepo.git", "rev-parse", "main") == before


@pytest.mark.parametrize("project", ["", "..", ".hidden", "-x", "a/b", "../../etc", "a b", "$(id)", "a\nb"])
def test_a_project_cannot_name_a_folder_elsewhere(fetch: Fetch, volume: Path, project: str) -> None:
    assert "use letters" in fetch(code=2, PROJECT=project).stderr
    assert not list(volume.iterdir())


@pytest.mark.parametrize("remote", ["", "--upload-pack=touch /tmp/weft-was-fooled"])
def test_a_remote_that_is_an_option_is_refused(fetch: Fetch, remote: str) -> None:
    assert "is no URL" in fetch(code=2, REMOTE=remote).stderr


@pytest.mark.parametrize("remote", ["ext::sh -c 'touch /tmp/weft-was-fooled'", "file:///"])
def test_only_the_transport_of_the_manifest_is_used(fetch: Fetch, volume: Path, remote: str) -> None:
    assert "not allowed" in fetch(code=128, REMOTE=remote, GIT_ALLOW_PROTOCOL="https").stderr
    assert not list(volume.iterdir())


class Guarded(SimpleHTTPRequestHandler):
    """Files for those who sign in as weft with the password `secret:word`."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") == "Basic " + base64.b64encode(b"weft:secret:word").decode():
            super().do_GET()
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(origin: Path) -> Iterator[str]:
    """The URL of a git server that asks for a password."""
    git(origin, "update-server-info")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(origin))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/.git"
        server.shutdown()
        thread.join()


def test_a_credential_is_used_and_kept_nowhere(
    fetch: Fetch, server: str, origin: Path, volume: Path, tmp_path: Path
) -> None:
    credential = tmp_path / "credential"
    credential.write_text("username=weft\npassword=secret:word\n")
    for _ in range(2):
        done = fetch(REMOTE=server, GIT_ALLOW_PROTOCOL="http", GIT_CREDENTIAL_FILE=str(credential))
        assert "secret" not in done.stdout + done.stderr
    assert git(volume / "monorepo.git", "rev-parse", "main") == git(origin, "rev-parse", "main")
    assert not any(b"secret" in path.read_bytes() for path in volume.rglob("*") if path.is_file())


def test_without_a_credential_a_guarded_server_is_an_error_and_no_question(
    fetch: Fetch, server: str, tmp_path: Path
) -> None:
    missing = str(tmp_path / "credential")
    assert (
        "could not read Username"
        in fetch(code=128, REMOTE=server, GIT_ALLOW_PROTOCOL="http", GIT_CREDENTIAL_FILE=missing).stderr
    )
