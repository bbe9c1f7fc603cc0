"""A real browser without a window, for tests of pages: the Chromium of the system, driven by Playwright."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Dialog, HttpCredentials, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
INSTALL_SECONDS = 600
ARGUMENTS = (
    "--no-sandbox",  # root may not use it, and the pages are ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass(slots=True)
class Browser:
    """One window with a fresh profile. `complaints` is all that the pages' consoles and failed requests said."""

    context: BrowserContext
    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> int:
        """Go to a page and wait until it is quiet; gives the status."""
        response = self.page.goto(url, wait_until="load")
        assert response is not None
        return response.status


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium: of the system, or installed now where this is root on Debian; else the test fails."""
    found = _on_path()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _install()
        found = _on_path()
    if found is None:
        pytest.fail("no Chromium on PATH: install the system's package 'chromium'", pytrace=False)
    return found


@pytest.fixture
def browser(chromium: str, tmp_path: Path) -> Iterator[Browser]:
    """A browser that signs in nowhere."""
    with open_browser(chromium, tmp_path / "profile") as opened:
        yield opened


@contextmanager
def open_browser(chromium: str, profile: Path, credentials: HttpCredentials | None = None) -> Iterator[Browser]:
    """A browser with a profile in a new folder; where a password is asked for, it gives `credentials`."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium,
            headless=True,
            args=ARGUMENTS,
            http_credentials=credentials,
            viewport={"width": 1360, "height": 760},
            timezone_id="UTC",
        )
        browser = Browser(context, context.pages[0])
        _listen(browser)
        yield browser
        context.close()


def _listen(browser: Browser) -> None:
    complaints = browser.complaints
    browser.page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    browser.page.on("pageerror", lambda error: complaints.append(f"exception: {error}"))
    browser.page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url}"))
    browser.page.on("dialog", lambda dialog: _dismiss(dialog, complaints))


def _dismiss(dialog: Dialog, complaints: list[str]) -> None:
    complaints.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _on_path() -> str | None:
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


def _install() -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "--quiet"],
        ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "chromium"],
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=INSTALL_SECONDS
        )
        if done.returncode:
            pytest.fail(f"`{' '.join(command)}` failed: {done.stderr.strip()[-300:]}", pytrace=False)
