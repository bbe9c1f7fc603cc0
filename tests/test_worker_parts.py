"""What a worker is made of, without any server: packs, sources of contents, messages, broker URLs, settings, logs."""

import json
import logging
import os
import ssl
import subprocess
import sys
import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from git_repository import GitRepository, isolate, write
from weft_storage.model.errors import StoreUnavailable, UsageError
from weft_storage.model.files import Content
from weft_storage.model.languages import Language
from weft_storage.model.work import Job
from weft_tasks.contents import ContentError, ContentUnreachable
from weft_tasks.contents.digest import identify_bytes
from weft_tasks.jobs import PackError, pack_contents, unpack_contents
from weft_tasks.worker.app import make_app
from weft_tasks.worker.broker import parse_broker
from weft_tasks.worker.environment import forget_strays
from weft_tasks.worker.logs import JsonLines, TextLines
from weft_tasks.worker.messages import ExtractMessage, MessageRefused, read_message
from weft_tasks.worker.patience import patiently
from weft_tasks.worker.sources import Sources, is_plain, reached

PROJECT = "shop"


def job(path: str, source: bytes, oid: str = "") -> Job:
    content, _ = identify_bytes([source], len(source), None)
    return Job(content.digest, path, Language.PYTHON, content, oid)


class TestPacks:
    @given(st.lists(st.binary(max_size=200), max_size=8))
    def test_what_is_packed_comes_out(self, sources: list[bytes]) -> None:
        jobs = [job(f"{number}.py", source) for number, source in enumerate(sources)]
        contents = {each.key: source for each, source in zip(jobs, sources, strict=True)}
        assert unpack_contents(pack_contents(contents), jobs) == contents

    def test_a_pack_that_unpacks_to_more_than_its_jobs_is_refused_without_unpacking_it(self) -> None:
        bomb = zlib.compress(b"\0" * (256 << 20), 9)
        assert len(bomb) < 1 << 20
        with pytest.raises(PackError, match="holds more than its jobs"):
            unpack_contents(bomb, [job("a.py", b"import b\n")])

    @pytest.mark.parametrize(
        "pack",
        [
            b"",
            b"no pack",
            zlib.compress(b"no msgpack"),
            zlib.compress(msgspec.msgpack.encode(["a"])),
            pack_contents({b"k": b"v"})[:-3],
            pack_contents({b"k": b"v"}) + b"more",
        ],
    )
    def test_anything_else_is_refused(self, pack: bytes) -> None:
        with pytest.raises(PackError):
            unpack_contents(pack, [job("a.py", b"import b\n")])

    def test_a_content_of_another_size_than_its_job_may_be_missing_but_harms_nobody(self) -> None:
        one, other = job("a.py", b"import b\n"), job("b.py", b"import c\n")
        contents = {one.key: b"", other.key: b"import c\n"}
        assert unpack_contents(pack_contents(contents), [one, other]) == contents


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    for name in ("repositories", "checkouts", "outside"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def sources(roots: Path) -> Sources:
    return Sources(str(roots / "repositories"), str(roots / "checkouts"))


def bare(
    roots: Path, files: dict[str, str | bytes], monkeypatch: pytest.MonkeyPatch, name: str = f"{PROJECT}.git"
) -> None:
    isolate(monkeypatch, roots / "home")
    made = GitRepository(roots / "made")
    made.commit(files)
    made.git("clone", "--quiet", "--bare", ".", str(roots / "repositories" / name))


def oid(source: bytes) -> str:
    return identify_bytes([source], len(source), "sha1")[1]


class TestSources:
    def test_a_pack_comes_first(self, roots: Path, sources: Sources) -> None:
        write(roots / "checkouts" / PROJECT, {"a.py": "import mounted\n"})
        wanted = job("a.py", b"import packed\n")
        assert sources.of_batch(PROJECT, {wanted.key: b"import packed\n"}).content(wanted) == b"import packed\n"

    @pytest.mark.parametrize("name", [f"{PROJECT}.git", PROJECT])
    def test_git_is_asked_by_object_id(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        bare(roots, {"a.py": "import b\n"}, monkeypatch, name)
        contents = sources.of_batch(PROJECT, None)
        assert contents.content(job("another/path.py", b"import b\n", oid(b"import b\n"))) == b"import b\n"
        sources.close()

    def test_a_repository_with_a_work_tree_will_do(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        isolate(monkeypatch, roots / "home")
        GitRepository(roots / "repositories" / PROJECT).commit({"a.py": "import b\n"})
        wanted = job("a.py", b"import b\n", oid(b"import b\n"))
        assert sources.of_batch(PROJECT, None).content(wanted) == b"import b\n"
        sources.close()

    def test_a_folder_in_another_repository_is_no_repository(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        isolate(monkeypatch, roots / "home")
        GitRepository(roots / "repositories").commit({f"{PROJECT}/a.py": "import b\n"})
        with pytest.raises(ContentUnreachable):
            sources.of_batch(PROJECT, None).content(job("a.py", b"import b\n", oid(b"import b\n")))

    def test_what_git_lacks_is_read_from_the_checkout(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare(roots, {"a.py": "import b\n"}, monkeypatch)
        write(roots / "checkouts" / PROJECT, {"new.py": "import c\n"})
        wanted = job("new.py", b"import c\n", oid(b"import c\n"))
        assert sources.of_batch(PROJECT, None).content(wanted) == b"import c\n"
        sources.close()

    def test_a_repository_that_was_replaced_is_opened_anew(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare(roots, {"a.py": "import b\n"}, monkeypatch)
        first = job("a.py", b"import b\n", oid(b"import b\n"))
        assert sources.of_batch(PROJECT, None).content(first) == b"import b\n"
        (roots / "repositories" / f"{PROJECT}.git").rename(roots / "outside" / "old")
        (roots / "made").rename(roots / "outside" / "made")
        bare(roots, {"a.py": "import c\n"}, monkeypatch)
        second = job("a.py", b"import c\n", oid(b"import c\n"))
        assert sources.of_batch(PROJECT, None).content(second) == b"import c\n"
        sources.close()

    def test_nothing_of_a_repository_is_run(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare(roots, {"a.py": "import b\n"}, monkeypatch)
        directory = roots / "repositories" / f"{PROJECT}.git"
        ran = roots / "ran"
        with open(directory / "config", "a", encoding="utf-8") as file:
            file.write(f'[core]\n\tfsmonitor = "touch {ran}"\n\tpager = "touch {ran}"\n')
            file.write(
                f'[remote "o"]\n\tpromisor = true\n\turl = "ext::touch {ran}"\n[extensions]\n\tpartialclone = o\n'
            )
        contents = sources.of_batch(PROJECT, None)
        assert contents.content(job("a.py", b"import b\n", oid(b"import b\n"))) == b"import b\n"
        with pytest.raises(ContentUnreachable):
            contents.content(job("a.py", b"import c\n", oid(b"import c\n")))
        assert not ran.exists()
        sources.close()

    def test_nobody_has_the_content(self, sources: Sources) -> None:
        with pytest.raises(ContentUnreachable):
            sources.of_batch(PROJECT, None).content(job("a.py", b"import b\n"))

    def test_no_folders_at_all(self) -> None:
        with pytest.raises(ContentUnreachable):
            Sources(None, None).of_batch(PROJECT, None).content(job("a.py", b"import b\n", oid(b"import b\n")))

    def test_a_pack_without_the_content_is_not_asked_for_again(self, sources: Sources) -> None:
        with pytest.raises(ContentError, match="could not be read"):
            sources.of_batch(PROJECT, {}).content(job("a.py", b"import b\n"))

    def test_a_file_that_is_gone_from_the_checkout_has_failed(self, roots: Path, sources: Sources) -> None:
        (roots / "checkouts" / PROJECT).mkdir()
        with pytest.raises(ContentError, match="not there any more"):
            sources.of_batch(PROJECT, None).content(job("a.py", b"import b\n"))

    def test_a_checkout_of_another_commit_is_as_good_as_none(self, roots: Path, sources: Sources) -> None:
        write(roots / "checkouts" / PROJECT, {"a.py": "import other\n"})
        contents = sources.of_batch(PROJECT, None)
        for path in ("a.py", "b.py"):
            with pytest.raises(ContentUnreachable):
                contents.content(job(path, b"import b\n", oid(b"import b\n")))

    def test_a_file_that_changed_since_it_was_scanned_is_read_no_further_than_needed(
        self, roots: Path, sources: Sources
    ) -> None:
        write(roots / "checkouts" / PROJECT, {"a.py": b"#" * (8 << 20)})
        assert len(sources.of_batch(PROJECT, None).content(job("a.py", b"import b\n"))) == len(b"import b\n") + 1

    @pytest.mark.parametrize(
        "path",
        ["../../outside/secret", "/etc/passwd", "a/../../../outside/secret", "link", "folder/secret", "", ".", "a\0b",
         "pipe", "deep/" * 300 + "a.py", "\ud800"],
    )  # fmt: skip
    def test_no_path_leads_out_of_a_checkout(self, roots: Path, sources: Sources, path: str) -> None:
        (roots / "outside" / "secret").write_text("secret\n")
        checkout = roots / "checkouts" / PROJECT
        (checkout / "a").mkdir(parents=True)
        (checkout / "link").symlink_to(roots / "outside" / "secret")
        (checkout / "folder").symlink_to(roots / "outside")
        os.mkfifo(checkout / "pipe")
        hostile = Job(b"k", path, Language.PYTHON, Content(b"d" * 16, 7))
        with pytest.raises(ContentError):
            sources.of_batch(PROJECT, None).content(hostile)
        with pytest.raises(ContentUnreachable):
            sources.of_run(PROJECT).read(path, "", 100)

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../outside", "/etc", "a/b", ".hidden", "a\0b", "../checkouts/shop", "\ud800"]
    )
    def test_a_project_that_is_no_plain_name_reaches_nothing(self, roots: Path, sources: Sources, name: str) -> None:
        write(roots / "checkouts" / PROJECT, {"a.py": "import b\n"})
        write(roots / "outside", {"a.py": "import b\n"})
        assert not is_plain(name)
        with pytest.raises(ContentUnreachable):
            sources.of_batch(name, None).content(job("a.py", b"import b\n", oid(b"import b\n")))

    def test_an_object_id_that_is_none_reaches_nothing(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare(roots, {"a.py": "import b\n"}, monkeypatch)
        for odd in ("HEAD:a.py", "HEAD", "x\n" + oid(b"import b\n"), "--help", "f" * 40):
            with pytest.raises(ContentUnreachable):
                sources.of_batch(PROJECT, None).content(job("a.py", b"import b\n", odd))
        sources.close()

    def test_finalizing_reads_by_object_id_else_from_the_checkout(
        self, roots: Path, sources: Sources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bare(roots, {"go.mod": "module shop\n"}, monkeypatch)
        contents = sources.of_run(PROJECT)
        assert contents.read("go.mod", oid(b"module shop\n"), 100) == b"module shop\n"
        for unknown in ("", oid(b"module other\n")):
            with pytest.raises(ContentUnreachable):
                contents.read("go.mod", unknown, 100)
        write(roots / "checkouts" / PROJECT, {"go.mod": "module mounted\n"})
        assert contents.read("go.mod", "", None) == b"module mounted\n"
        with pytest.raises(ContentUnreachable):
            contents.read("go.mod", "", 3)
        sources.close()

    def test_a_worker_says_what_it_reaches(self, roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bare(roots, {"a.py": ""}, monkeypatch)
        for name in ("checkouts/tool", "checkouts/.hidden", "repositories/empty.git"):
            (roots / name).mkdir()
        (roots / "checkouts" / "file").touch()
        assert reached(str(roots / "repositories"), str(roots / "checkouts")) == (f"git:{PROJECT}", "mount:tool")
        assert reached(None, None) == ()
        assert reached(str(roots / "missing"), None) == ()


class TestMessages:
    def test_a_message_of_this_version(self) -> None:
        arguments = {"run_id": 3, "number": 4, "fingerprint": "ab"}
        assert read_message(ExtractMessage, arguments, own_fingerprint="ab") == ExtractMessage(3, 4, "ab")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"run_id": "3"}, {"run_id": 0}, {"run_id": True}, {"number": None}, {"number": 2**63}, {"number": 1.5},
            {"fingerprint": "cd"}, {"fingerprint": "ab\n"}, {"fingerprint": 5}, {"resent": "yes"}, {"more": 1},
        ],
    )  # fmt: skip
    def test_any_other_is_refused(self, wrong: dict[str, object]) -> None:
        arguments = {"run_id": 3, "number": 4, "fingerprint": "ab"} | wrong
        with pytest.raises(MessageRefused):
            read_message(ExtractMessage, arguments, own_fingerprint="ab")


class TestBroker:
    def test_a_password_is_never_shown(self) -> None:
        broker = parse_broker("redis://user:geheim@queue:6379/2")
        assert broker.shown == "redis://queue:6379/2"
        assert "geheim" not in repr(broker)

    def test_tls_asks_for_a_certificate_that_can_be_verified(self) -> None:
        tls = parse_broker("rediss://queue/0").tls
        assert tls == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}

    def test_options_of_tls_reach_broker_and_results(self) -> None:
        url = "rediss://:p@queue:6380/1?ssl_ca_certs=/ca.pem&ssl_certfile=/c.pem&ssl_keyfile=/k.pem"
        app = make_app(url, patient=True)
        assert app.connection_for_read().ssl["ssl_ca_certs"] == "/ca.pem"
        parameters = app.backend.connparams
        assert (parameters["ssl_ca_certs"], parameters["ssl_certfile"]) == ("/ca.pem", "/c.pem")
        assert parameters["ssl_cert_reqs"] is ssl.CERT_REQUIRED
        assert (parameters["host"], parameters["port"], parameters["db"]) == ("queue", 6380, 1)

    def test_who_wants_no_certificate_must_say_so(self) -> None:
        tls = parse_broker("rediss://queue/0?ssl_cert_reqs=none").tls
        assert tls == {"ssl_cert_reqs": ssl.CERT_NONE, "ssl_check_hostname": False}

    @pytest.mark.parametrize(
        "url",
        ["", "queue", "amqp://:geheim@queue//", "redis://:geheim@queue/zero", "redis://:geheim@queue:port/0",
         "redis://:geheim@queue/0?ssl_ca_certs=/ca", "rediss://:geheim@queue/0?ssl_cert_reqs=maybe",
         "rediss://:geheim@queue/0?credential_provider=os.system", "redis://:geheim@[queue/0",
         "redis://user:12/geheim@queue/0", "redis://:12?geheim@queue/0", "rediss://:12?geheim@queue/0",
         "redis://:12#geheim@queue/0", "redis:geheim@queue"],
    )  # fmt: skip
    def test_anything_else_is_refused_without_its_password(self, url: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_broker(url)
        assert "geheim" not in str(caught.value)


class TestApplication:
    def test_only_json_is_spoken_and_heard(self) -> None:
        for patient in (True, False):
            conf = make_app("redis://queue/0", patient=patient).conf
            assert conf.accept_content == conf.result_accept_content == ["json"]
            assert conf.task_serializer == conf.result_serializer == conf.event_serializer == "json"

    def test_what_is_lost_comes_again(self) -> None:
        conf = make_app("redis://queue/0", patient=True).conf
        assert conf.task_acks_late
        assert conf.task_reject_on_worker_lost
        assert conf.worker_prefetch_multiplier == 1
        assert conf.result_backend_always_retry
        assert conf.broker_connection_max_retries is None
        assert conf.broker_transport_options["visibility_timeout"] == 1800

    def test_every_key_in_redis_has_the_prefix(self) -> None:
        app = make_app("redis://queue/0", patient=True)
        assert app.conf.broker_transport_options["global_keyprefix"] == "weft:"
        for prefix in (app.backend.task_keyprefix, app.backend.group_keyprefix, app.backend.chord_keyprefix):
            assert bytes(prefix).startswith(b"weft:")

    def test_nothing_is_read_from_the_environment_or_the_current_folder(self, tmp_path: Path) -> None:
        write(tmp_path, dict.fromkeys(("celeryconfig.py", "tasks.py", "evil.py"), "raise SystemExit('loaded')\n"))
        script = (
            "from weft_tasks.worker.app import make_app\n"
            "app = make_app('redis://right:1/2', patient=False)\n"
            "app.loader.import_default_modules()\n"
            "assert app.connection_for_read().hostname == 'right'\n"
            "assert app.connection_for_write().hostname == 'right'\n"
            "assert app.connection().hostname == 'right'\n"
            "assert app.amqp.producer_pool.connections.connection.hostname == 'right'\n"
            "assert app.backend.connparams['host'] == 'right', app.backend.connparams\n"
            "assert app.conf.imports == () and not app.conf.include, app.conf.include\n"
            "import os; assert os.environ['CELERY_BROKER_URL']\n"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", script], cwd=tmp_path, env=os.environ | STRAYS, capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()

    def test_strays_are_taken_out_and_nothing_else(self) -> None:
        variables = STRAYS | {"PATH": "/bin", "WEFT_STORE": "x", "CI": "1", "CXX": "g++", "APPDATA": "y"}
        assert forget_strays(variables) == STRAYS
        assert variables == {"PATH": "/bin", "WEFT_STORE": "x", "CI": "1", "CXX": "g++", "APPDATA": "y"}


STRAYS = {
    "APP": "evil",
    "BROKER_URL": "redis://wrong:1/0",
    "CELERY_BROKER_URL": "redis://wrong:1/0",
    "CELERY_BROKER_READ_URL": "redis://wrong:1/0",
    "CELERY_BROKER_WRITE_URL": "redis://wrong:1/0",
    "CELERY_RESULT_BACKEND": "redis://wrong:1/0",
    "CELERY_CONFIG_MODULE": "evil",
    "CELERY_LOADER": "evil:Loader",
    "CELERY_CUSTOM_WORKER_POOL": "evil:Pool",
    "CELERY_LOG_LEVEL": "nonsense",
    "CELERY_LOG_FILE": "/nowhere/at/all",
    "CELERY_BENCH_EVERY": "nonsense",
    "CELERY_TRACE_APP": "1",
    "C_STRICT_APP": "1",
    "DJANGO_SETTINGS_MODULE": "evil",
    "FORKED_BY_MULTIPROCESSING": "1",
    "REMAP_SIGTERM": "SIGKILL",
    "AUTOSCALE_KEEPALIVE": "nonsense",
    "EVENTLET_NOBLOCK": "nonsense",
}
"""Variables as a monorepo's own Celery leaves them in a shell, and worse."""


class TestPatience:
    def test_a_store_that_comes_back_is_asked_again(self) -> None:
        failures = [StoreUnavailable("store", "is away"), StoreUnavailable("store", "is away")]
        said: list[str] = []

        def ask() -> int:
            if failures:
                raise failures.pop()
            return 5

        assert patiently(ask, until=lambda: float("inf"), say=said.append) == 5
        assert said == ["store: is away (trying again)"]

    def test_one_that_stays_away_is_given_up(self) -> None:
        def ask() -> int:
            raise StoreUnavailable("store", "is away")

        with pytest.raises(StoreUnavailable):
            patiently(ask, until=lambda: 0.0, say=lambda _: None)


class TestLogs:
    def record(self, sentence: str, **fields: object) -> logging.LogRecord:
        made = logging.makeLogRecord({"msg": sentence, "levelname": "INFO", "name": "weft_tasks", "process": 7})
        vars(made).update(fields)
        return made

    def test_a_line_of_json_has_the_sentence_and_the_fields(self) -> None:
        line = json.loads(JsonLines().format(self.record("extracted 3 files", run=5, batch=2)))
        assert (line["message"], line["run"], line["batch"], line["level"]) == ("extracted 3 files", 5, 2, "info")

    def test_a_name_with_a_line_end_makes_no_second_line(self) -> None:
        text = TextLines().format(self.record("'a\nERROR: b.py' failed", run=5))
        assert "\n" not in text
        assert text.endswith("run=5")
        assert "\n" not in JsonLines().format(self.record("a\nb", path="\udcff"))
