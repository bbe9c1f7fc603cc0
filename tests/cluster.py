"""Rendered Kubernetes objects, as questions that tests ask of them. Knows nothing of Weft."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

LONG_RUNNING = ("Deployment", "StatefulSet")
_UNITS = {"m": 1e-3, "": 1.0, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


@dataclass(frozen=True, slots=True)
class Pod:
    """What an object makes pods of: `owner` is that object, `labels` and `spec` are those of its pods."""

    owner: Object
    labels: Mapping[str, str]
    spec: Object

    @property
    def name(self) -> str:
        """Of the owner."""
        return str(self.owner["metadata"]["name"])

    @property
    def containers(self) -> list[Object]:
        """Those that start before the others, then the others."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def volume(self, name: str) -> Object:
        """The volume of that name."""
        (found,) = [each for each in volumes(self) if each["name"] == name]
        return found


@dataclass(frozen=True, slots=True)
class Rendering:
    """The objects of one overlay."""

    name: str
    objects: tuple[Object, ...]

    def of(self, *kinds: str) -> list[Object]:
        """The objects of some kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def one(self, kind: str, name: str) -> Object:
        """The object of that kind and name; there is exactly one."""
        (found,) = [each for each in self.of(kind) if each["metadata"]["name"] == name]
        return found

    @property
    def pods(self) -> list[Pod]:
        """All that makes pods."""
        return [
            Pod(each, template["metadata"]["labels"], template["spec"])
            for each in self.objects
            if (template := _template(each)) is not None
        ]

    def pods_that(self, selector: Object) -> list[Pod]:
        """The pods that a label selector selects."""
        return [pod for pod in self.pods if selects(selector, pod.labels)]

    def configuration(self, container: Object) -> dict[str, str]:
        """A container's environment; what a Secret or the cluster says is not known here."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= self.one("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {each["name"]: each["value"] for each in container.get("env", ())}


def _template(thing: Object) -> Object | None:
    spec = thing.get("spec", {})
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    template: Object | None = spec.get("template")
    return template


def selects(selector: Object, labels: Mapping[str, str]) -> bool:
    """Whether a label selector selects what has these labels; an empty one selects everything."""
    equal = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return equal and all(_holds(each, labels) for each in selector.get("matchExpressions", ()))


def _holds(expression: Object, labels: Mapping[str, str]) -> bool:
    assert expression["operator"] == "In", "teach the tests the other operators first"
    return labels.get(expression["key"]) in expression["values"]


def volumes(pod: Pod) -> Iterator[Object]:
    """The volumes of a pod, those that a StatefulSet claims for it included."""
    yield from pod.spec.get("volumes", ())
    for claim in pod.owner["spec"].get("volumeClaimTemplates", ()):
        yield {"name": claim["metadata"]["name"], "claimTemplate": claim}


def quantity(text: str) -> float:
    """`500m`, `2`, `6Gi`: how much that is, in ones."""
    number = text.rstrip("mKMGi")
    return float(number) * _UNITS[text[len(number) :]]


def ports(pod: Pod) -> dict[str | int, int]:
    """The ports of a pod's containers, by name and by number."""
    listed = [port for container in pod.spec["containers"] for port in container.get("ports", ())]
    return {key: port["containerPort"] for port in listed for key in (port["name"], port["containerPort"])}


def flows(rendering: Rendering, policies: list[Object]) -> set[tuple[str, str, int]]:
    """Who reaches whom at which port (names of owners): what both sides' network policies let through."""
    found = set()
    for target in rendering.pods:
        for port in set(ports(target).values()):
            for source in rendering.pods:
                if _passes("egress", "to", policies, source, target, port, target) and _passes(
                    "ingress", "from", policies, target, source, port, target
                ):
                    found.add((source.name, target.name, port))
    return found


def _passes(
    direction: str, side: str, policies: list[Object], subject: Pod, other: Pod, port: int, listener: Pod
) -> bool:
    """Whether some policy of the subject lets it and the other speak; without any policy nothing is in the way."""
    concerned = [
        each["spec"]
        for each in policies
        if direction.capitalize() in each["spec"]["policyTypes"]
        and selects(each["spec"]["podSelector"], subject.labels)
    ]
    if not concerned:
        return True
    return any(
        _names(peer, other) and port in {ports(listener).get(each["port"], each["port"]) for each in rule["ports"]}
        for spec in concerned
        for rule in spec.get(direction, ())
        for peer in rule[side]
    )


def _names(peer: Object, pod: Pod) -> bool:
    """Whether a peer of a rule means this pod of the same namespace."""
    return "namespaceSelector" not in peer and "podSelector" in peer and selects(peer["podSelector"], pod.labels)
