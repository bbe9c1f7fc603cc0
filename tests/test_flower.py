"""`weft flower`: who gets in, what can be done there, and that people can read it. With a real browser."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner
from playwright.sync_api import Error, HttpCredentials

from browser import Browser, open_browser
from repositories import Repository
from weft.cli import group
from weft.stack import RedisServer
from weft_storage.backends import open_store
from weft_storage.model.errors import UsageError
from weft_tasks.worker.app import make_app
from weft_tasks.worker.messages import EXTRACT, queue_name
from weft_tasks.worker.monitor import parse_credentials
from workers import Worker, running_worker

USER, PASSWORD = "reader", "correct horse battery staple"
EVERYWHERE = "0.0.0.0"
CONTROLS = (
    "worker/shutdown/celery@here",
    "worker/pool/restart/celery@here",
    "worker/pool/grow/celery@here",
    "worker/pool/shrink/celery@here",
    "worker/pool/autoscale/celery@here",
    "worker/queue/add-consumer/celery@here",
    "worker/queue/cancel-consumer/celery@here",
    "task/apply/weft.extract",
    "task/async-apply/weft.extract",
    "task/send-task/weft.extract",
    "task/abort/1234",
    "task/timeout/weft.extract",
    "task/rate-limit/weft.extract",
    "task/revoke/1234",
)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class Monitor:
    """A running `weft flower`."""

    url: str
    process: "subprocess.Popen[str]"

    def get(self, path: str, *, host: str = "", credential: str = "", post: bool = False) -> Answer:
        request = urllib.request.Request(self.url + path.removeprefix("/"), method="POST" if post else "GET")
        if host:
            request.add_header("Host", host)
        if credential:
            request.add_header("Authorization", "Basic " + base64.b64encode(credential.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return Answer(response.status, dict(response.headers), response.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), error.read().decode())


@contextmanager
def flower(*arguments: str, cwd: Path, **variables: str) -> Iterator[Monitor]:
    """`weft flower` as a process of its own, once it listens."""
    command = [sys.executable, "-P", "-m", "weft", "flower", "--port", "0", *arguments]
    environment = {**os.environ, **variables}
    with open(cwd / "flower.log", "w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=cwd, env=environment)
    try:
        assert process.stdout is not None
        announced = process.stdout.readline()
        assert announced.startswith("flower: http://"), (cwd / "flower.log").read_text()
        yield Monitor(announced.split()[1].replace(EVERYWHERE, "127.0.0.1"), process)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def credentials(tmp_path: Path) -> str:
    file = tmp_path / "credentials"
    file.write_text(f"# who may look\n\n{USER}:{PASSWORD}\n", encoding="utf-8")
    return str(file)


def complaint(*arguments: str, **variables: str) -> str:
    """What `weft flower` says when it refuses to start."""
    command = [sys.executable, "-P", "-m", "weft", "flower", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **variables}, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("address", [EVERYWHERE, "::", ""])
def test_it_does_not_listen_beyond_this_machine_without_a_password(address: str) -> None:
    said = complaint("--broker", "redis://127.0.0.1:1/0", "--address", address)
    assert "without a password" in said
    assert "--basic-auth-file" in said


def test_nobody_controls_workers_without_a_password() -> None:
    assert "without a password" in complaint("--broker", "redis://127.0.0.1:1/0", "--allow-control")


def test_it_needs_a_broker_that_makes_sense() -> None:
    assert "WEFT_BROKER_FILE" in complaint()
    said = complaint("--broker", "amqp://user:hidden@127.0.0.1/")
    assert "redis://" in said
    assert "hidden" not in said


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in complaint("--broker", "redis://127.0.0.1:1/0", "--port", port)


@pytest.mark.parametrize("line", ["secret", "reader:", ":secret", "reader:sécret", "reader:se\x00cret"])
def test_a_line_that_would_let_in_nobody_or_anybody_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="line 2") as refused:
        parse_credentials(f"good:one\n{line}\n", "file 'x'")
    assert "cret" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "\n", "# none\n"])
def test_a_file_without_a_line_that_counts_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="holds no"):
        parse_credentials(text, "file 'x'")


def test_passwords_may_hold_colons_and_spaces() -> None:
    assert parse_credentials("a:b:c\n  d: e f \n", "file 'x'") == ("a:b:c", "d: e f")


def test_help_loads_neither_flower_nor_celery() -> None:
    script = (
        "import sys, click.testing, weft.cli\n"
        "click.testing.CliRunner().invoke(weft.cli.group, ['flower', '--help'])\n"
        "sys.exit(any(name.split('.')[0] in ('flower', 'celery', 'tornado') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert "WEFT_BROKER" in CliRunner().invoke(group, ["flower", "--help"]).output


def test_a_password_is_asked_for_but_by_metrics_and_health(redis_url: str, credentials: str, tmp_path: Path) -> None:
    arguments = ("--broker", redis_url, "--address", EVERYWHERE, "--basic-auth-file", credentials)
    with flower(*arguments, cwd=tmp_path) as monitor:
        for path in ("", "workers", "tasks", "broker", "task/1", "worker/x", "api/workers", "api/tasks"):
            refused = monitor.get(path)
            assert (refused.status, refused.body) == (401, refused.body), path
            assert "celery" not in refused.body
        for wrong in (f"{USER}:wrong", "wrong", f"{USER}:", f"{USER}:sécret"):
            assert monitor.get("", credential=wrong).status in (401, 500), wrong
        assert monitor.get("tasks", credential=f"{USER}:{PASSWORD}").status == 200
        assert monitor.get("api/workers", credential=f"{USER}:{PASSWORD}").status == 200
        assert monitor.get("healthcheck").body == "OK"
        assert monitor.get("metrics").status == 200


def test_the_password_may_come_from_the_environment(redis_url: str, tmp_path: Path) -> None:
    with flower(
        "--address", EVERYWHERE, cwd=tmp_path, WEFT_BROKER=redis_url, WEFT_FLOWER_BASIC_AUTH=f"{USER}:{PASSWORD}"
    ) as monitor:
        assert monitor.get("tasks").status == 401
        assert monitor.get("tasks", credential=f"{USER}:{PASSWORD}").status == 200


def test_no_secret_is_among_the_arguments_or_in_the_log(own_redis: RedisServer, tmp_path: Path) -> None:
    own_redis.stop()
    own_redis.password = "hidden-broker-password"
    own_redis.start()
    broker = tmp_path / "broker"
    broker.write_text(own_redis.url, encoding="utf-8")
    (tmp_path / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    files = {"WEFT_BROKER_FILE": str(broker), "WEFT_FLOWER_BASIC_AUTH_FILE": str(tmp_path / "users")}
    with flower("--address", EVERYWHERE, cwd=tmp_path, **files) as monitor:
        pages = [monitor.get(path, credential=f"{USER}:{PASSWORD}").body for path in ("workers", "tasks", "broker")]
        said = Path(f"/proc/{monitor.process.pid}/cmdline").read_text(encoding="utf-8")
        wait_for(lambda: "Connected" in (tmp_path / "flower.log").read_text(encoding="utf-8"))
    shown = "".join((said, *pages, (tmp_path / "flower.log").read_text(encoding="utf-8")))
    assert "hidden-broker-password" not in shown
    assert PASSWORD not in shown
    assert str(own_redis.port) in pages[2]


@pytest.mark.parametrize("path", CONTROLS)
def test_it_is_read_only_even_for_those_who_sign_in(path: str, looking: Monitor) -> None:
    refused = looking.get(f"api/{path}", credential=f"{USER}:{PASSWORD}", post=True)
    assert (refused.status, refused.body) == (403, "Read only mode is enabled")


@pytest.fixture(scope="module")
def looking(redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Monitor]:
    """A read-only monitor with a password, for tests that change nothing."""
    folder = tmp_path_factory.mktemp("looking")
    (folder / "users").write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    with flower("--broker", redis_server, "--basic-auth-file", str(folder / "users"), cwd=folder) as monitor:
        yield monitor


def test_those_who_sign_in_may_control_where_that_was_allowed(redis_url: str, credentials: str, tmp_path: Path) -> None:
    arguments = ("--broker", redis_url, "--basic-auth-file", credentials, "--allow-control")
    with flower(*arguments, cwd=tmp_path) as monitor:
        assert monitor.get("api/task/revoke/1234", post=True).status == 401
        done = monitor.get("api/task/revoke/1234", credential=f"{USER}:{PASSWORD}", post=True)
        assert (done.status, "Revoked" in done.body) == (200, True)


def test_without_a_password_only_names_of_this_machine_are_answered(redis_url: str, tmp_path: Path) -> None:
    """A page of any site can bring a browser here under its own name; nothing else would keep it out."""
    with flower("--broker", redis_url, cwd=tmp_path) as monitor:
        assert monitor.get("workers").status == 200
        assert monitor.get("workers", host="localhost:5555").status == 200
        for host in ("evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:5555"):
            assert monitor.get("workers", host=host).status == 404
            assert monitor.get("metrics", host=host).status == 404
        assert monitor.get("api/workers").status == 401


def test_pages_may_not_be_framed_and_run_nothing_but_their_own_files(looking: Monitor) -> None:
    headers = looking.get("tasks", credential=f"{USER}:{PASSWORD}").headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_nothing_of_the_shell_or_the_folder_decides_what_is_loaded(redis_url: str, tmp_path: Path) -> None:
    """A monorepo's own Celery variables, and modules with likely names in its folder."""
    for name in ("flowerconfig", "celeryconfig", "tasks", "celery", "flower", "proj"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\n", encoding="utf-8")
    elsewhere = "redis://127.0.0.1:1/7"
    foreign = {
        "APP": "proj",
        "BROKER_URL": elsewhere,
        "CELERY_APP": "proj",
        "CELERY_BROKER_URL": elsewhere,
        "CELERY_BROKER_READ_URL": elsewhere,
        "CELERY_BROKER_WRITE_URL": elsewhere,
        "CELERY_RESULT_BACKEND": elsewhere,
        "CELERY_CONFIG_MODULE": "celeryconfig",
        "CELERY_LOADER": "proj",
        "FLOWER_ADDRESS": EVERYWHERE,
        "FLOWER_BASIC_AUTH": "other:other",
        "FLOWER_CONF": "flowerconfig.py",
        "FLOWER_DEBUG": "true",
        "FLOWER_PERSISTENT": "true",
        "FLOWER_PORT": "1",
        "FLOWER_READ_ONLY": "false",
        "FLOWER_UNAUTHENTICATED_API": "true",
        "FLOWER_URL_PREFIX": "elsewhere",
        # What Kubernetes sets beside a service that is called weft-flower.
        "WEFT_FLOWER_PORT": "tcp://10.0.0.1:5555",
    }
    with flower("--broker", redis_url, cwd=tmp_path, **foreign) as monitor:
        assert monitor.get("workers").status == 200
        assert monitor.get("api/workers").status == 401
        assert redis_url.partition("//")[2] in monitor.get("broker").body
        wait_for(lambda: "Connected" in (tmp_path / "flower.log").read_text(encoding="utf-8"))
        monitor.process.terminate()
        assert monitor.process.wait(20) == 0
    assert "127.0.0.1:1/" not in (tmp_path / "flower.log").read_text(encoding="utf-8")
    assert not (tmp_path / "loaded").exists()
    left = {path.name for path in tmp_path.iterdir() if path.suffix != ".py"} - {"__pycache__"}
    assert left == {"flower.log"}, "no state is kept in files"


def test_its_settings_are_the_workers(redis_url: str) -> None:
    """Of all programs on a broker the one that waits shortest decides when messages are delivered again."""
    script = (
        "import json, sys, flower.app\n"
        "from weft_tasks.worker import monitor\n"
        "from weft_tasks.worker.app import make_app\n"
        "def start(self):\n"
        "    own = make_app(sys.argv[1], patient=True).conf\n"
        "    mine = self.capp.conf\n"
        "    for name in ('broker_transport_options', 'accept_content', 'result_backend_transport_options'):\n"
        "        assert mine[name] == own[name], name\n"
        "    options = self.options\n"
        "    print(mine.broker_transport_options['visibility_timeout'], options.max_tasks, options.persistent,\n"
        "          options.purge_offline_workers, options.read_only)\n"
        "flower.app.Flower.start = start\n"
        "monitor.serve(sys.argv[1], monitor.MonitorSettings(port=0, max_tasks=77), lambda port: None)\n"
    )
    command = [sys.executable, "-P", "-c", script, redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["1800", "77", "False", "600", "True"], done.stderr


def test_a_proxy_may_serve_it_below_a_path(redis_url: str, credentials: str, tmp_path: Path) -> None:
    arguments = ("--broker", redis_url, "--basic-auth-file", credentials, "--url-prefix", "/tools/weft/")
    with flower(*arguments, cwd=tmp_path) as monitor:
        assert monitor.url.endswith("/tools/weft/")
        page = monitor.get("tasks", credential=f"{USER}:{PASSWORD}")
        assert 'src="/tools/weft/static/js/flower.js' in page.body
        assert monitor.get("static/js/flower.js").status == 200
        assert monitor.get("healthcheck").body == "OK"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_when_told_also_while_the_broker_is_away(
    number: signal.Signals, own_redis: RedisServer, tmp_path: Path
) -> None:
    with flower("--broker", own_redis.url, cwd=tmp_path) as monitor:
        wait_for(lambda: "Connected" in (tmp_path / "flower.log").read_text(encoding="utf-8"))
        own_redis.stop()
        assert monitor.get("healthcheck").body == "OK"
        assert monitor.get("tasks").status == 200
        monitor.process.send_signal(number)
        assert monitor.process.wait(20) == 0


def wait_for(condition: Callable[[], bool], seconds: float = 100) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def test_it_finds_back_to_a_broker_that_was_away(own_redis: RedisServer, tmp_path: Path) -> None:
    def connections() -> int:
        return (tmp_path / "flower.log").read_text(encoding="utf-8").count("Connected")

    with flower("--broker", own_redis.url, cwd=tmp_path):
        wait_for(lambda: connections() == 1)
        # A connection that closes before it has subscribed is lost on kombu; it says "Connected" a moment too early.
        with redis.Redis.from_url(own_redis.url) as client:
            wait_for(lambda: client.pubsub_numpat() + len(client.pubsub_channels()) > 0)
        own_redis.restart()
        wait_for(lambda: connections() >= 2)


@dataclass(frozen=True, slots=True)
class Scanned:
    """A monitor that has seen a scan by a real worker."""

    monitor: Monitor
    broker: str
    run: int


HOSTILE = "<img src=x onerror=alert(1)>'\"><script>alert(2)</script>"


@pytest.fixture
def scanned(git_repository: Repository, postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[Scanned]:
    """A worker's scan of a small repository, watched; after it, a message with the name of a hostile file."""
    text = "import os\n\n\ndef f() -> None: ...\n"
    git_repository.write(
        {f"package/module_{number}.py": f"from . import module_{number + 1}\n{text}" for number in range(60)}
    )
    git_repository.commit()
    open_store(postgres_url).close()
    with (
        flower("--broker", redis_url, cwd=tmp_path) as monitor,
        running_worker(postgres_url, redis_url) as worker,
    ):
        wait_for(lambda: "Connected" in (tmp_path / "flower.log").read_text(encoding="utf-8"))
        command = [sys.executable, "-P", "-m", "weft", "scan", str(git_repository.root), "--inline-below", "1"]
        command += ["--broker", redis_url, "--store", postgres_url, "--format", "json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, f"{done.stderr}\n{worker.text()}"
        send_hostile(redis_url, worker)
        yield Scanned(monitor, redis_url, json.loads(done.stdout)["run"])


def send_hostile(broker: str, worker: Worker) -> None:
    """A message as somebody could send it who has the broker's password, or as a label could be that quotes a file."""
    fingerprint = next(line["fingerprint"] for line in worker.lines if "fingerprint" in line)
    app = make_app(broker, patient=False)
    arguments = {"run_id": 10**9, "number": 1, "fingerprint": fingerprint}
    app.send_task(
        EXTRACT, kwargs=arguments, queue=queue_name("weft", fingerprint), argsrepr=HOSTILE, kwargsrepr=HOSTILE
    )
    app.close()


def test_a_person_sees_what_workers_do(browser: Browser, scanned: Scanned) -> None:
    page = browser.page
    assert browser.open(scanned.monitor.url) == 200
    page.wait_for_selector("#workers-table tbody a")
    assert "Online" in page.inner_text("#workers-table")

    browser.open(f"{scanned.monitor.url}tasks")
    page.wait_for_selector(f"#tasks-table td:text-matches('run {scanned.run}: merge and publish')")
    shown = page.inner_text("#tasks-table")
    assert re.search(
        rf"weft\.extract\s+run {scanned.run}, batch \d+(/\d+)?: \d+ files, .*B, python\s+SUCCESS", shown
    ), shown
    assert re.search(rf"weft\.finalize\s+run {scanned.run}: merge and publish\s+SUCCESS", shown), shown

    page.fill("#tasks-table_filter input", f'args:"run {scanned.run}: merge"')
    page.wait_for_function("document.querySelectorAll('#tasks-table tbody tr').length === 1")
    page.click("#tasks-table tbody a[href*='/task/']")
    page.wait_for_selector("#task-page")
    assert f"run {scanned.run}: merge and publish" in page.inner_text("#task-page")

    for path in ("broker", "workers"):
        assert browser.open(f"{scanned.monitor.url}{path}") == 200
    assert browser.complaints == []


def test_what_repositories_say_is_text(browser: Browser, scanned: Scanned) -> None:
    page = browser.page
    browser.open(f"{scanned.monitor.url}tasks")
    page.wait_for_selector("#tasks-table td:text-matches('onerror')")
    assert HOSTILE in page.inner_text("#tasks-table")
    page.click("#tasks-table tr:has(td:text-matches('onerror')) a[href*='/task/']")
    page.wait_for_selector("#task-page")
    assert page.inner_text("#task-page").count(HOSTILE) == 2
    assert page.locator("img[onerror]").count() == 0
    assert browser.complaints == []


def test_there_is_no_button_to_control_with(browser: Browser, scanned: Scanned) -> None:
    page = browser.page
    browser.open(scanned.monitor.url)
    page.click("#workers-table tbody a")
    page.wait_for_selector("#workername")
    buttons = page.locator(".worker-detail-page button")
    assert [text for text in buttons.all_inner_texts() if text.strip()] == []
    worker = page.inner_text("#workername")
    status = page.evaluate(
        "worker => fetch('/api/worker/shutdown/' + worker, {method: 'POST'}).then(answer => answer.status)", worker
    )
    assert status in (401, 403)
    assert [said for said in browser.complaints if "status of 401" not in said] == []


def test_a_browser_is_asked_who_is_there(chromium: str, redis_url: str, credentials: str, tmp_path: Path) -> None:
    arguments = ("--broker", redis_url, "--address", EVERYWHERE, "--basic-auth-file", credentials)
    with flower(*arguments, cwd=tmp_path) as monitor:
        with open_browser(chromium, tmp_path / "stranger") as stranger, pytest.raises(Error, match="INVALID_AUTH"):
            stranger.open(f"{monitor.url}tasks")
        login: HttpCredentials = {"username": USER, "password": PASSWORD}
        with open_browser(chromium, tmp_path / "reader", login) as reader:
            assert reader.open(f"{monitor.url}tasks") == 200
            reader.page.wait_for_selector("#tasks-table")
            assert reader.complaints == []
