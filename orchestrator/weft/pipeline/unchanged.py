"""Runs that leave the graph as it is: a scan that finds nothing new, and the acceptance of cycles that are there."""

import os
import socket
import time

import msgspec
from msgspec.structs import replace

from weft.pipeline.epoch import program_version
from weft_storage.backends import Store
from weft_storage.model.errors import ProjectUnknown
from weft_storage.model.runs import Publication, Run
from weft_storage.model.states import STATE_NAMES, Affected, Components, Lineage, encode_state
from weft_tasks.finalize.lineage import accept_all, next_lineage
from weft_tasks.finalize.states import load_state


def new_run(project: str, root: str, rev: str | None = None) -> Run:
    """A run of this process that begins now."""
    return Run(
        project=project,
        root=root,
        rev_argument=rev or "",
        started=time.time(),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=program_version(),
    )


def publish_unchanged(store: Store, published: Run, run: Run, *states: msgspec.Struct) -> Run:
    """Publish a run without changes: the same graph, nothing affected; `states` are those that change nevertheless."""
    had_facts = sum(published.counts.get(name, 0) for name in ("analyzed", "unchanged", "cached"))
    unchanged = replace(
        run,
        state=published.state,
        finished=time.time(),
        counts=dict.fromkeys(published.counts, 0)
        | {name: published.counts.get(name, 0) for name in ("files", "skipped", "failed", "inputs")}
        | {"unchanged": had_facts},
        edges=published.edges,
        unresolved=published.unresolved,
        components=published.components,
        coverage=published.coverage,
        problems=published.problems,
        cache_hit_rate=1.0,
    )
    encoded = {STATE_NAMES[type(each)]: encode_state(each) for each in (Affected(), *states)}
    store.publish(Publication(unchanged, states=encoded))
    return unchanged


def accept_components(store: Store, project: str, *, lock_timeout: float) -> Run:
    """Accept all cyclic components of the published graph as they are; gives the run that records it.

    Raises `ProjectUnknown` where nothing was published.
    """
    with store.lock(project, timeout=lock_timeout):
        published = store.published(project)
        if published is None:
            raise ProjectUnknown.in_store(store.url, project)
        run = store.begin(new_run(project, published.root, published.rev_argument))
        run = replace(run, revision=published.revision, token=published.token)
        components = load_state(store, project, Components).components
        known = load_state(store, project, Lineage)
        return publish_unchanged(store, published, run, accept_all(next_lineage(known, components, run.id)))
