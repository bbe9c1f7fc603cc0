"""docker-compose.yml: read by docker compose itself, whole, with nothing as root, and with commands that weft knows."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from compose import run_compose
from weft.cli import group

ROOT = Path(__file__).parent.parent
SECRETS = ("store-url", "broker-url", "postgres-password", "redis-users", "flower-users")
OURS = ("migrate", "worker", "flower", "scan")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a first start: compose file, .env and secrets, made by the commands of the documentation."""
    folder = tmp_path_factory.mktemp("stack")
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copy(ROOT / name, folder)
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    commands = text.partition("```sh\n")[2].partition("```")[0]
    subprocess.run(["sh", "-eu", "-c", commands], cwd=folder, check=True, timeout=60)
    (folder / "repository").mkdir()
    env = (folder / ".env").read_text(encoding="utf-8")
    env = env.replace("/path/to/repository", str(folder / "repository"))
    (folder / ".env").write_text(env.replace("WEFT_PROJECT=repository", "WEFT_PROJECT=mono"), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def resolved(compose: list[str], stack: Path) -> dict[str, Any]:
    """What docker compose makes of it."""
    done = run_compose(compose, str(stack), "--profile", "scan", "config")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = yaml.safe_load(done.stdout)
    return document


@pytest.fixture(scope="module")
def services(resolved: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = resolved["services"]
    return found


def test_compose_reads_it_without_a_warning(compose: list[str], stack: Path) -> None:
    done = run_compose(compose, str(stack), "config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_repository_it_says_what_to_do(compose: list[str], tmp_path: Path) -> None:
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    done = run_compose(compose, str(tmp_path), "config", "--quiet")
    assert done.returncode != 0
    assert "WEFT_REPOSITORY" in done.stderr
    assert ".env.example" in done.stderr


def test_a_first_start_has_every_secret_and_keeps_others_out(stack: Path, resolved: dict[str, Any]) -> None:
    files = {name: Path(secret["file"]) for name, secret in resolved["secrets"].items()}
    assert set(files) == set(SECRETS)
    for name, file in files.items():
        assert file.is_file(), name
        # Containers have users that own nothing on the host; the folder is what keeps others out.
        assert file.stat().st_mode & 0o777 == 0o644
    assert (stack / "secrets").stat().st_mode & 0o777 == 0o700


def test_the_secrets_of_a_first_start_agree_with_each_other(stack: Path) -> None:
    said = {name: (stack / "secrets" / name).read_text(encoding="utf-8") for name in SECRETS}
    postgres = said["postgres-password"].strip()
    assert said["store-url"] == f"postgresql://weft:{postgres}@postgres:5432/weft\n"
    redis = re.fullmatch(r"redis://weft:(\w{48})@redis:6379/0\n", said["broker-url"])
    assert redis is not None
    anybody, weft = said["redis-users"].splitlines()
    assert anybody == "user default on nopass -@all +ping"
    assert weft == f"user weft on >{redis[1]} ~weft:* &* +@all -@admin -@dangerous"
    assert re.fullmatch(r"weft:\w{24}\n", said["flower-users"])


def test_no_secret_is_in_the_file_a_variable_or_an_argument(stack: Path, compose: list[str]) -> None:
    shown = run_compose(compose, str(stack), "--profile", "scan", "config").stdout
    for name in SECRETS:
        for word in re.findall(r"\w{24,}", (stack / "secrets" / name).read_text(encoding="utf-8")):
            assert word not in shown


def test_everything_that_is_named_is_there(resolved: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    used: dict[str, set[str]] = {"secrets": set(), "networks": set(), "volumes": set()}
    for service in services.values():
        used["secrets"] |= {secret["source"] for secret in service.get("secrets", ())}
        used["networks"] |= set(service["networks"])
        used["volumes"] |= {each["source"] for each in service.get("volumes", ()) if each["type"] == "volume"}
        assert set(service.get("depends_on", ())) <= set(services)
    for kind, names in used.items():
        assert names == set(resolved[kind]), kind


def test_every_file_that_a_variable_names_is_a_secret_of_that_service(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        files = {value for key, value in service.get("environment", {}).items() if key.endswith("_FILE")}
        mounted = {secret["target"] for secret in service.get("secrets", ())}
        assert files <= mounted, name
        # Each service has the secrets that it needs, and no other.
        assert mounted == files | ({"/run/secrets/redis-users"} if name == "redis" else set()), name


@pytest.mark.parametrize("name", OURS)
def test_commands_are_commands_of_weft(name: str, services: dict[str, dict[str, Any]]) -> None:
    command: click.Command = group
    arguments = list(services[name]["command"])
    context = click.Context(group, info_name="weft")
    while isinstance(command, click.Group):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command = found
    # Resilient: files and folders are those of the container. An option or argument that it does not have still fails.
    options, left, _ = command.make_parser(context).parse_args(arguments)
    assert (left, set(options) - {each.name for each in command.params}) == ([], set())


@pytest.mark.parametrize("name", OURS)
def test_variables_are_variables_of_weft(name: str, services: dict[str, dict[str, Any]]) -> None:
    known = {f"{each}_FILE" for each in ("WEFT_STORE", "WEFT_BROKER")}
    pending: list[click.Command] = [group]
    while pending:
        command = pending.pop()
        known |= {each.envvar for each in command.params if isinstance(each.envvar, str)}
        pending += command.commands.values() if isinstance(command, click.Group) else ()
    said = {each for each in services[name]["environment"] if each.startswith("WEFT_")}
    assert said <= known
    assert {each for each in services[name]["environment"] if not each.startswith(("WEFT_", "GIT_CONFIG_"))} == set()


def test_nothing_is_root_or_may_become_it(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        user = service["user"].partition(":")[0]
        assert user in ("10001", "redis", "postgres"), name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert not {"privileged", "pid", "ipc", "network_mode", "devices"} & set(service), name


def test_what_may_be_written_is_a_volume_or_gone_afterwards(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert any(each.partition(":")[0] == "/tmp" for each in service["tmpfs"]), name
        for volume in service.get("volumes", ()):
            assert volume["type"] == "volume" or volume["read_only"] is True, name


def test_scans_and_workers_see_the_same_repository_and_nothing_else(
    services: dict[str, dict[str, Any]], stack: Path
) -> None:
    for name in ("scan", "worker"):
        (mount,) = services[name]["volumes"]
        assert (mount["source"], mount["target"]) == (str(stack / "repository"), "/checkouts/mono")
        # A path with a slip would become an empty folder of root's, and an empty graph.
        assert mount.get("bind", {}).get("create_host_path", False) is False
    assert services["worker"]["environment"]["WEFT_CHECKOUTS"] == "/checkouts"
    # The project is the name of the current folder.
    assert services["scan"]["working_dir"] == "/checkouts/mono"
    assert services["scan"]["environment"]["GIT_CONFIG_VALUE_0"] == "/checkouts/mono"


def test_only_flower_is_reached_and_only_from_this_host(
    resolved: dict[str, Any], services: dict[str, dict[str, Any]]
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert set(published) == {"flower"}
    assert [port["host_ip"] for port in published["flower"]] == ["127.0.0.1"]
    assert resolved["networks"]["inside"]["internal"] is True
    outside = {name for name, service in services.items() if "outside" in service["networks"]}
    assert outside == {"flower"}
    assert "WEFT_FLOWER_BASIC_AUTH_FILE" in services["flower"]["environment"]
    assert "--allow-control" not in services["flower"]["command"]


def test_what_runs_for_long_is_watched_and_started_again(services: dict[str, dict[str, Any]]) -> None:
    for name in ("redis", "postgres", "flower", "worker"):
        assert services[name]["restart"] == "unless-stopped", name
    for name in ("redis", "postgres", "flower"):
        assert services[name]["healthcheck"]["test"], name
    # The image's own: by the heartbeat.
    assert "healthcheck" not in services["worker"]
    heartbeat = services["worker"]["command"][services["worker"]["command"].index("--heartbeat-file") + 1]
    assert heartbeat in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert any(heartbeat.startswith(each.partition(":")[0] + "/") for each in services["worker"]["tmpfs"])
    for name in ("migrate", "scan"):
        assert services[name]["healthcheck"]["disable"] is True, name


def test_things_start_when_what_they_need_is_there(services: dict[str, dict[str, Any]]) -> None:
    wanted = {
        name: {other: each["condition"] for other, each in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    assert wanted["migrate"] == {"postgres": "service_healthy"}
    assert wanted["worker"] == {"migrate": "service_completed_successfully", "redis": "service_healthy"}
    assert wanted["scan"] == wanted["worker"]
    assert wanted["flower"] == {"redis": "service_healthy"}


def test_workers_may_be_many_and_have_time_to_end(services: dict[str, dict[str, Any]]) -> None:
    assert not {"container_name", "ports", "hostname"} & set(services["worker"])
    assert services["worker"]["stop_grace_period"] == "1m0s"


def test_redis_forgets_nothing_and_asks_who_is_there(services: dict[str, dict[str, Any]]) -> None:
    command = services["redis"]["command"]
    settings = dict(zip(command[1::2], command[2::2], strict=True))
    assert settings["--appendonly"] == "yes"
    assert settings["--maxmemory-policy"] == "noeviction"
    assert settings["--aclfile"] == "/run/secrets/redis-users"


def test_images_are_pinned(services: dict[str, dict[str, Any]]) -> None:
    for name in ("redis", "postgres"):
        assert re.fullmatch(r"docker\.io/library/\w+:\d+\.\d+(\.\d+)?-\w+", services[name]["image"]), name
    assert {services[name]["image"] for name in OURS} == {"weft:local"}


def test_every_variable_of_the_file_is_explained() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    explained = set(re.findall(r"^#?(\w+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE))
    assert used == explained


def test_secrets_and_env_are_not_for_git() -> None:
    names = [".env", "secrets/store-url"]
    done = subprocess.run(["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False)
    if not os.path.exists(ROOT / ".git"):
        pytest.fail("this test needs a clone")
    assert done.stdout.split() == names
