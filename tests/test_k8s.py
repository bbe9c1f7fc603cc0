"""The Kubernetes manifests: rendered by kustomize, valid for the API, and whole - everything that is named is there."""

import ast
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import psycopg
import pytest
import yaml

from cluster import LONG_RUNNING, Object, Pod, Rendering, flows, ports, quantity, selects, volumes
from kustomize import rendered
from weft.cli import group
from weft_storage.backends import open_store
from weft_storage.model.runs import RunState
from weft_storage.model.work import Limits

HOME = Path(__file__).resolve().parent.parent
MANIFESTS = HOME / "k8s"
OLDEST_KUBERNETES = "1.30"
RENDERINGS = ("dev", "prod", "dev+keda", "prod+keda")
KEDA = {"ScaledObject", "TriggerAuthentication"}

# What an installation brings along, by name and keys; all of it stands in k8s/README.md.
BROUGHT_SECRETS = {
    "weft-store": {"owner-url", "scan-url", "worker-url", "reader-url"},
    "weft-broker": {"url"},
    "weft-flower": {"basic-auth"},
    "weft-git": {"credential"},
}
BROUGHT_CONFIGURATION = {"weft-ca"}

# Variables that the program reads and that no pod sets, and why.
NOT_DEPLOYED = {
    "WEFT_STORE": "holds a password: WEFT_STORE_FILE",
    "WEFT_BROKER": "holds a password: WEFT_BROKER_FILE",
    "WEFT_FLOWER_BASIC_AUTH": "holds a password: WEFT_FLOWER_BASIC_AUTH_FILE",
    "WEFT_CHECKOUTS": "contents come from bare repositories",
    "WEFT_QUEUES": "one queue; a second set of workers is the overlay's to add",
    "WEFT_CONCURRENCY": "an argument, where the resources for it stand",
    "WEFT_HEARTBEAT_FILE": "an argument, where the probes that ask for it stand",
    "WEFT_LOG_FORMAT": "an argument",
    "WEFT_DEBUG": "for a person at a terminal",
    "WEFT_STACK_FOLDER": "`weft stack` is the same thing on one machine without a cluster",
}


@pytest.fixture(scope="module", params=RENDERINGS)
def rendering(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    return render(request.param, tmp_path_factory.mktemp("k8s"))


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Rendering:
    return render("dev", tmp_path_factory.mktemp("k8s"))


def render(name: str, scratch: Path) -> Rendering:
    """An overlay as it is, or as it is with the component that its README tells to add."""
    overlay, _, component = name.partition("+")
    copy = shutil.copytree(MANIFESTS, scratch / "k8s")
    if component:
        kustomization = copy / "overlays" / overlay / "kustomization.yaml"
        kustomization.write_text(f"{kustomization.read_text()}components:\n  - ../../components/{component}\n")
    return Rendering(name, tuple(rendered(copy / "overlays" / overlay)))


def test_every_object_is_valid_for_the_oldest_and_the_newest_kubernetes(rendering: Rendering) -> None:
    assert {each["kind"] for each in rendering.objects} >= {"Deployment", "CronJob", "Job", "NetworkPolicy"}
    for each in rendering.objects:
        if each["kind"] not in KEDA:
            for version in (OLDEST_KUBERNETES, kubernetes_validate.latest_version()):
                kubernetes_validate.validate(each, version, strict=True)


def test_every_object_has_labels_and_stands_in_the_namespace_of_its_overlay(rendering: Rendering) -> None:
    (namespace,) = rendering.of("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for each in rendering.objects:
        assert each["metadata"]["labels"]["app.kubernetes.io/part-of"] == "weft", each
        if each["kind"] != "Namespace":
            assert each["metadata"]["namespace"] == namespace["metadata"]["name"], each["metadata"]
    for pod in rendering.pods:
        assert pod.labels.keys() >= {f"app.kubernetes.io/{key}" for key in ("name", "component", "part-of")}


def test_every_file_is_reached_by_a_kustomization() -> None:
    roots = [*MANIFESTS.glob("overlays/*"), *MANIFESTS.glob("components/*")]
    reached = {path for root in roots for path in reach(root)}
    assert {path for path in MANIFESTS.rglob("*") if path.is_file()} - reached == {MANIFESTS / "README.md"}


def reach(folder: Path) -> Iterator[Path]:
    """The kustomization of a folder and all files that it names, directly or through others."""
    kustomization: Object = yaml.safe_load((folder / "kustomization.yaml").read_text())
    yield folder / "kustomization.yaml"
    named = [*kustomization.get("resources", ()), *kustomization.get("configurations", ())]
    named += [each["path"] for each in kustomization.get("patches", ()) if "path" in each]
    for generator in (*kustomization.get("configMapGenerator", ()), *kustomization.get("secretGenerator", ())):
        named += [each.rpartition("=")[2] for each in generator.get("files", ())]
    for name in (*named, *kustomization.get("components", ())):
        path = (folder / name).resolve()
        yield from reach(path) if path.is_dir() else (path,)


# Selectors and references.


def test_what_selects_pods_selects_those_that_it_is_for(rendering: Rendering) -> None:
    for pod in rendering.pods:
        if pod.owner["kind"] in LONG_RUNNING:
            assert selects(pod.owner["spec"]["selector"], pod.labels), pod.name
        for constraint in pod.spec.get("topologySpreadConstraints", ()):
            assert selects(constraint["labelSelector"], pod.labels), pod.name
    for budget in rendering.of("PodDisruptionBudget"):
        assert [pod.name for pod in rendering.pods_that(budget["spec"]["selector"])] == [budget["metadata"]["name"]]


def test_services_lead_to_ports_that_are_open(rendering: Rendering) -> None:
    for service in rendering.of("Service"):
        (pod,) = rendering.pods_that({"matchLabels": service["spec"]["selector"]})
        assert pod.name == service["metadata"]["name"]
        for port in service["spec"]["ports"]:
            assert ports(pod)[port["targetPort"]] == port["port"]
    for stateful in rendering.of("StatefulSet"):
        assert rendering.one("Service", stateful["spec"]["serviceName"])["spec"]["clusterIP"] == "None"


def test_every_configuration_secret_claim_and_account_that_is_named_exists(rendering: Rendering) -> None:
    kinds = ("ConfigMap", "Secret", "PersistentVolumeClaim", "ServiceAccount")
    existing = {(each["kind"], each["metadata"]["name"]) for each in rendering.of(*kinds)}
    brought = {("ConfigMap", name) for name in BROUGHT_CONFIGURATION}
    if rendering.name.startswith("prod"):
        brought |= {("Secret", name) for name in BROUGHT_SECRETS}
    # A private repository's credential is everybody's own.
    brought |= {("Secret", "weft-git")}
    named = {each for pod in rendering.pods for each in references(pod)}
    assert named - existing - brought == set()
    assert existing - named == set(), "made, but not used"


def references(pod: Pod) -> Iterator[tuple[str, str]]:
    """Kind and name of all that a pod needs to be there."""
    if "serviceAccountName" in pod.spec:
        yield "ServiceAccount", pod.spec["serviceAccountName"]
    for container in pod.containers:
        for source in container.get("envFrom", ()):
            yield "ConfigMap", source["configMapRef"]["name"]
    for volume in volumes(pod):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def test_every_key_of_a_secret_that_is_named_exists(rendering: Rendering) -> None:
    for pod in rendering.pods:
        for volume in volumes(pod):
            for item in volume.get("secret", {}).get("items", ()):
                plain, keys = secret_keys(rendering, volume["secret"]["secretName"])
                assert item["key"] in keys, (plain, item)


def secret_keys(rendering: Rendering, name: str) -> tuple[str, set[str]]:
    """The name of a Secret without the hash that kustomize gives it, and its keys; those that are brought along too."""
    for each in rendering.of("Secret"):
        if each["metadata"]["name"] == name:
            plain = name.rpartition("-")[0]
            keys = set(each["data"])
            assert plain not in BROUGHT_SECRETS or keys == BROUGHT_SECRETS[plain], plain
            return plain, keys
    return name, BROUGHT_SECRETS[name]


def test_what_is_brought_along_stands_in_the_readme() -> None:
    readme = (MANIFESTS / "README.md").read_text()
    for name, keys in BROUGHT_SECRETS.items():
        for word in (name, *keys):
            assert f"`{word}`" in readme, word
    for name in BROUGHT_CONFIGURATION:
        assert f"`{name}`" in readme


def test_secrets_are_files_and_each_pod_has_its_own_only(rendering: Rendering) -> None:
    given = {}
    for pod in rendering.pods:
        for container in pod.containers:
            assert not any("valueFrom" in each for each in container.get("env", ())), pod.name
            assert not any("secretRef" in each for each in container.get("envFrom", ())), pod.name
        for volume in volumes(pod):
            secret = volume.get("secret", {})
            assert not secret or secret["defaultMode"] == 0o440, (pod.name, volume)
            if volume["name"] == "store":
                given[pod.labels["app.kubernetes.io/component"]] = secret["items"][0]["key"]
    assert given == {"worker": "worker-url", "scan": "scan-url", "migrate": "owner-url"}


def test_no_password_stands_anywhere_but_in_the_secrets_of_dev(rendering: Rendering) -> None:
    if rendering.name.startswith("prod"):
        assert not rendering.of("Secret")
    text = yaml.safe_dump_all(each for each in rendering.objects if each["kind"] != "Secret")
    assert not re.search(r"dev-only|://[^/\s]*@|PASSWORD: ", text)


def test_volumes_are_mounted_once_and_mounts_have_volumes(rendering: Rendering) -> None:
    for pod in rendering.pods:
        mounted = set()
        for container in pod.containers:
            mounts = container.get("volumeMounts", ())
            mounted |= {mount["name"] for mount in mounts}
            assert len({mount["mountPath"] for mount in mounts}) == len(mounts), pod.name
        assert mounted == {volume["name"] for volume in volumes(pod)}, pod.name


# What the program is told.


def test_arguments_are_those_of_the_command_line(rendering: Rendering) -> None:
    checked = 0
    for pod in rendering.pods:
        for container in pod.containers:
            variables = rendering.configuration(container)
            for line in weft_lines(container):
                parse([expanded(each, variables) for each in line])
                checked += 1
    assert checked == 7


def weft_lines(container: Object) -> Iterator[list[str]]:
    """All that a container runs of ours: its main program and its probes, without the `weft` in front."""
    if is_weft(container) and "command" not in container:
        yield container["args"]
    for probe in probes(container).values():
        command = probe.get("exec", {}).get("command", [""])
        if command[0] == "weft":
            yield command[1:]


def expanded(argument: str, variables: dict[str, str]) -> str:
    """An argument as the container gets it; a name that is not set would stay as it is and is an error here."""
    return re.sub(r"\$\((\w+)\)", lambda match: variables[match[1]], argument)


def parse(line: list[str]) -> click.Context:
    """Parse a command line with the program's own parser, as far as nothing is run. Raises on anything unknown."""
    command: click.Command = group
    path = []
    while isinstance(command, click.Group):
        path.append(line[0])
        command, line = command.commands[line[0]], line[1:]
    return without_files(command).make_context(" ".join(path), list(line))


def without_files(command: click.Command) -> click.Command:
    """The command with options that do not look whether files exist: they do so in the pod."""
    for parameter in command.params:
        if isinstance(parameter.type, click.Path):
            parameter.type = click.Path()
    return command


def is_weft(container: Object) -> bool:
    return bool(re.search(r"(^|/)weft[:@]", container["image"]))


def test_the_environment_is_what_the_program_reads(rendering: Rendering) -> None:
    deployed = {
        name
        for pod in rendering.pods
        for container in pod.containers
        if is_weft(container)
        for name in rendering.configuration(container)
        if name.startswith("WEFT_")
    }
    read = variables_read()
    assert deployed - read == set(), "set, but nobody reads it"
    assert read - deployed == set(NOT_DEPLOYED), "read, but neither set nor in NOT_DEPLOYED with a reason"


def variables_read() -> set[str]:
    """The names of all variables that the program looks up: those of options, and those spelled out in its source."""
    found = {name for command in commands(group) for parameter in command.params for name in envvars(parameter)}
    # Options that hold secrets may be given by a file.
    found |= {f"{name}_FILE" for name in found if name in ("WEFT_STORE", "WEFT_BROKER")}
    for path in HOME.glob("*/weft*/**/*.py"):
        if "stack" not in path.parts:
            found |= {each for each in literals(path) if re.fullmatch(r"WEFT_[A-Z][A-Z0-9_]*", each)}
    return found


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    for each in command.commands.values() if isinstance(command, click.Group) else ():
        yield from commands(each)


def envvars(parameter: click.Parameter) -> list[str]:
    named = parameter.envvar or ()
    return [named] if isinstance(named, str) else list(named)


def literals(path: Path) -> set[str]:
    tree = ast.parse(path.read_bytes())
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_repositories_are_where_the_program_looks_and_only_fetching_may_write(rendering: Rendering) -> None:
    users = set()
    for pod in rendering.pods:
        for container in pod.containers:
            for mount in container.get("volumeMounts", ()):
                if mount["name"] == "repositories":
                    assert rendering.configuration(container)["WEFT_REPOSITORIES"] == mount["mountPath"]
                    assert mount.get("readOnly", False) == (container["name"] != "fetch")
                    users.add(container["name"])
    assert users == {"preflight", "worker", "fetch", "scan"}


def test_files_named_in_the_environment_are_mounted(rendering: Rendering) -> None:
    for pod in rendering.pods:
        for container in pod.containers:
            for name, value in rendering.configuration(container).items():
                if name.startswith("WEFT_") and name.endswith("_FILE"):
                    folder, _, file = value.rpartition("/")
                    (mount,) = [each for each in container["volumeMounts"] if each["mountPath"] == folder]
                    items = pod.volume(mount["name"])["secret"]["items"]
                    assert file in {item["path"] for item in items}, (pod.name, name)


def test_a_scan_is_of_the_repository_that_was_fetched(rendering: Rendering) -> None:
    scans = rendering.of("CronJob")
    assert scans
    for pod in rendering.pods:
        if pod.owner in scans:
            fetch, scan = pod.containers
            variables = rendering.configuration(scan)
            parsed = parse([expanded(each, variables) for each in scan["args"]]).params
            # fetch.sh makes $WEFT_REPOSITORIES/$PROJECT.git, and workers look for the project's name there.
            assert parsed["path"] == f"{variables['WEFT_REPOSITORIES']}/{parsed['project']}.git"
            assert rendering.configuration(fetch)["PROJECT"] == parsed["project"]


# What containers may do, and what they get.


def test_every_pod_meets_the_restricted_standard_and_has_no_token(rendering: Rendering) -> None:
    for pod in rendering.pods:
        context = pod.spec["securityContext"]
        assert context["runAsNonRoot"] is True, pod.name
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod.spec["automountServiceAccountToken"] is False
        # Else a service called weft-flower sets WEFT_FLOWER_PORT=tcp://... in every pod.
        assert pod.spec["enableServiceLinks"] is False
        assert not pod.spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
        assert not any("hostPath" in volume for volume in volumes(pod))
        if is_weft(pod.spec["containers"][0]):
            assert (context["runAsUser"], context["runAsGroup"], context["fsGroup"]) == (10001, 10001, 10001)
    for account in rendering.of("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_every_container_is_restricted(rendering: Rendering) -> None:
    for pod in rendering.pods:
        for container in pod.containers:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, (pod.name, container["name"])
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert not context.get("privileged", False)
            temporary = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/tmp"]
            assert "sizeLimit" in pod.volume(temporary[0]["name"])["emptyDir"]


def test_every_container_has_resources(rendering: Rendering) -> None:
    for pod in rendering.pods:
        for container in pod.containers:
            resources = container["resources"]
            assert resources["requests"].keys() >= {"cpu", "memory"}, (pod.name, container["name"])
            for name, limit in resources["limits"].items():
                assert quantity(resources["requests"][name]) <= quantity(limit)
            assert "memory" in resources["limits"]
            # A throttled extractor meets its deadline, and a file would be blamed for it.
            assert "cpu" not in resources["limits"]


def test_an_extractor_meets_its_own_limit_before_the_pod_meets_its(rendering: Rendering) -> None:
    """The kernel kills everything in a pod that is out of memory; an extractor alone names the file to blame."""
    counted = 0
    for pod in rendering.pods:
        for container in pod.containers:
            slots = slots_of(container)
            if slots:
                needed = slots * Limits().memory + 2**30
                assert quantity(container["resources"]["limits"]["memory"]) >= needed, (pod.name, container["name"])
                counted += 1
    assert counted == 2


def slots_of(container: Object) -> int:
    """How many extractors a container runs at once."""
    for option in ("--concurrency", "--jobs"):
        if option in container.get("args", ()):
            return int(container["args"][container["args"].index(option) + 1])
    return 0


def test_images_are_pinned_and_ours_is_of_this_version(rendering: Rendering) -> None:
    version = tomllib.loads((HOME / "pyproject.toml").read_text())["project"]["version"]
    for pod in rendering.pods:
        for container in pod.containers:
            image = container["image"]
            assert re.search(r"(:[0-9][\w.-]+|@sha256:[0-9a-f]{64})$", image), image
            if is_weft(container):
                assert image.endswith((f"weft:{version}",)) or "@sha256:" in image


def test_what_runs_for_long_is_probed(rendering: Rendering) -> None:
    for pod in rendering.pods:
        if pod.owner["kind"] in LONG_RUNNING:
            for container in pod.spec["containers"]:
                found = probes(container)
                assert found.keys() >= {"startupProbe", "livenessProbe"}, pod.name
                for probe in found.values():
                    port = probe.get("httpGet", probe.get("tcpSocket", {})).get("port")
                    assert port is None or port in ports(pod), (pod.name, probe)
        if rendering.of("Service") and pod.name in {each["metadata"]["name"] for each in rendering.of("Service")}:
            assert "readinessProbe" in pod.spec["containers"][0], pod.name


def probes(container: Object) -> dict[str, Any]:
    return {name: container[name] for name in ("startupProbe", "readinessProbe", "livenessProbe") if name in container}


def test_a_worker_is_asked_for_the_heartbeat_that_it_writes(rendering: Rendering) -> None:
    pod = next(pod for pod in rendering.pods if pod.name == "weft-worker")
    (container,) = pod.spec["containers"]
    written = parse(container["args"]).params["heartbeat_file"]
    for probe in probes(container).values():
        asked = parse(probe["exec"]["command"][1:]).params
        assert asked["heartbeat_file"] == written
        assert asked["max_age"] >= 30
    (mount,) = [each for each in container["volumeMounts"] if written.startswith(each["mountPath"] + "/")]
    assert "emptyDir" in pod.volume(mount["name"])
    assert not mount.get("readOnly", False)


def test_pods_have_the_time_that_the_program_takes_to_end(rendering: Rendering) -> None:
    from weft_tasks.worker.settings import WorkerSettings

    for pod in rendering.pods:
        if pod.labels["app.kubernetes.io/component"] in ("worker", "scan"):
            assert pod.spec["terminationGracePeriodSeconds"] >= 2 * WorkerSettings("", "").soft_timeout


def test_jobs_end_and_are_cleaned_up(rendering: Rendering) -> None:
    jobs = [each["spec"] for each in rendering.of("Job")]
    for cron in rendering.of("CronJob"):
        assert cron["spec"]["concurrencyPolicy"] == "Forbid"
        assert cron["spec"]["startingDeadlineSeconds"] > 0
        assert cron["spec"]["timeZone"]
        jobs.append(cron["spec"]["jobTemplate"]["spec"])
    assert len(jobs) == 2
    for job in jobs:
        assert job.keys() >= {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"}
        assert job["template"]["spec"]["restartPolicy"] == "Never"


# Network.


def test_a_network_policy_of_each_direction_holds_for_every_pod(rendering: Rendering) -> None:
    for pod in rendering.pods:
        concerned = [each["spec"] for each in rendering.of("NetworkPolicy") if selects_pod(each, pod)]
        assert {kind for spec in concerned for kind in spec["policyTypes"]} == {"Ingress", "Egress"}, pod.name
    for policy in rendering.of("NetworkPolicy"):
        idle = not rendering.pods_that(policy["spec"]["podSelector"])
        assert not idle or (rendering.name, policy["metadata"]["name"]) == ("prod+keda", "weft-keda"), policy


def selects_pod(policy: Object, pod: Pod) -> bool:
    return selects(policy["spec"]["podSelector"], pod.labels)


def test_pods_reach_exactly_what_they_need(dev: Rendering) -> None:
    assert flows(dev, dev.of("NetworkPolicy")) == {
        ("weft-worker", "postgres", 5432),
        ("weft-worker", "redis", 6379),
        ("weft-scan-monorepo", "postgres", 5432),
        ("weft-scan-monorepo", "redis", 6379),
        ("weft-migrate", "postgres", 5432),
        ("weft-flower", "redis", 6379),
    }
    assert len(flows(dev, [])) > len(dev.pods), "without policies everybody reaches everybody"


def test_pods_with_names_to_look_up_reach_dns_and_only_scans_reach_the_world(rendering: Rendering) -> None:
    lookup, world = set(), set()
    for policy in rendering.of("NetworkPolicy"):
        names = {pod.labels["app.kubernetes.io/component"] for pod in rendering.pods if selects_pod(policy, pod)}
        for rule in policy["spec"].get("egress", ()):
            if {port["port"] for port in rule["ports"]} == {53}:
                assert {port["protocol"] for port in rule["ports"]} == {"UDP", "TCP"}
                lookup |= names
            for peer in rule["to"]:
                if peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0":
                    assert "169.254.0.0/16" in peer["ipBlock"]["except"], "credentials of the cloud"
                    assert [port["port"] for port in rule["ports"]] == [443]
                    world |= names
    assert lookup == {"worker", "scan", "migrate", "flower"}
    assert world == {"scan"}


# Scaling.


def test_one_autoscaler_decides_how_many_workers_there_are(rendering: Rendering) -> None:
    (scaler,) = rendering.of("HorizontalPodAutoscaler", "ScaledObject")
    assert scaler["kind"] == ("ScaledObject" if rendering.name.endswith("keda") else "HorizontalPodAutoscaler")
    target = scaler["spec"]["scaleTargetRef"]
    deployment = rendering.one(target["kind"], target["name"])
    assert deployment["apiVersion"] == target["apiVersion"]
    assert "replicas" not in deployment["spec"], "an apply would undo what the autoscaler decided"
    if scaler["kind"] == "HorizontalPodAutoscaler":
        lowest, highest = scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]
        behavior = scaler["spec"]["behavior"]
        assert {each["resource"]["name"] for each in scaler["spec"]["metrics"]} == {"cpu"}
    else:
        lowest, highest = scaler["spec"]["minReplicaCount"], scaler["spec"]["maxReplicaCount"]
        behavior = scaler["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert 1 <= lowest < highest
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] >= 300


@pytest.mark.parametrize("overlay", ["dev", "prod"])
def test_keda_counts_open_batches_per_slot_with_a_role_that_only_reads(overlay: str, tmp_path: Path) -> None:
    rendering = render(f"{overlay}+keda", tmp_path)
    (scaled,) = rendering.of("ScaledObject")
    (authentication,) = rendering.of("TriggerAuthentication")
    (trigger,) = scaled["spec"]["triggers"]
    (worker,) = rendering.one("Deployment", "weft-worker")["spec"]["template"]["spec"]["containers"]
    assert trigger["type"] == "postgresql"
    assert int(trigger["metadata"]["targetQueryValue"]) == slots_of(worker)
    assert trigger["authenticationRef"]["name"] == authentication["metadata"]["name"]
    (reference,) = authentication["spec"]["secretTargetRef"]
    plain, keys = secret_keys(rendering, reference["name"])
    assert (plain, reference["parameter"], reference["key"]) == ("weft-store", "connection", "reader-url")
    assert reference["key"] in keys
    # A run that is over leaves its batches as they were until the next scan: they are no work.
    assert "sum(queued + running)" in trigger["metadata"]["query"]
    assert f"state = '{RunState.RUNNING.value}'" in trigger["metadata"]["query"]


def test_the_query_of_keda_is_one_that_postgres_answers_with_a_number(postgres_url: str, tmp_path: Path) -> None:
    (scaled,) = render("dev+keda", tmp_path).of("ScaledObject")
    (trigger,) = scaled["spec"]["triggers"]
    with open_store(postgres_url), psycopg.connect(postgres_url) as connection:
        assert connection.execute(trigger["metadata"]["query"]).fetchone() == (0,)
