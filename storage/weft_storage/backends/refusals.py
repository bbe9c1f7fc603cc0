"""What every store refuses, in the same words. Knows no database."""

from weft_storage.model.errors import StoreUnavailable, UsageError
from weft_storage.model.runs import Run, RunState


def refuse_without_graph(run: Run) -> None:
    """Raises ValueError for a run in whose state there is no graph to publish."""
    if not run.state.has_graph:
        raise ValueError(f"a run that is {run.state} has no graph")


def refuse_late(run: Run, state: str | None) -> None:
    """Raises `StoreUnavailable` for a run that is over: a late write must not count.

    `state` is what the store holds of it, None where its project has no such run.
    """
    if state is None:
        raise StoreUnavailable(f"run {run.id}", f"is not a run of project '{run.project}'", "scan again")
    if state != RunState.RUNNING:
        raise StoreUnavailable(f"run {run.id}", f"is already {state}", "scan again")


def refuse_to_keep_none(keep_runs: int) -> None:
    """Raises `UsageError` where nothing of a project would be kept."""
    if keep_runs < 1:
        raise UsageError("keep_runs", f"is {keep_runs}", "keep at least one run: the published graph is one")


def no_graph(project: str, at: int) -> UsageError:
    """The error for a run that is to be read and cannot be."""
    kept = "published no graph, or it was collected"
    return UsageError(f"run {at} of project '{project}'", kept, "`weft runs` lists the runs")
