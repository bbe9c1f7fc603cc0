"""A whole graph, rebuilt from zero beside the store."""

from weft.pipeline import Options, Progress, analyze
from weft.report.documents import Difference
from weft.verification.comparison import differences
from weft_storage.backends import Store, open_store
from weft_storage.model.errors import RepositoryError
from weft_storage.model.runs import Run
from weft_storage.model.settings import Settings

ATTEMPTS = 3
"""How often a repository is looked at again that changed between the looks of store and rebuild."""


def verify(
    kept: Store, root: str, settings: Settings, options: Options, progress: Progress
) -> tuple[Run, list[Difference]]:
    """Bring the store up to date, rebuild the graph from zero in memory; the run, and in what the store differs.

    Raises RepositoryError for files that keep changing: differences would be theirs then.
    """
    for _ in range(ATTEMPTS):
        run = analyze(kept, root, settings, options, progress)
        with open_store("memory://") as fresh:
            rebuilt = analyze(fresh, root, settings, options, progress)
            found = list(differences(kept, fresh, options.project))
        if not found or (run.token and run.token == rebuilt.token):
            return run, found
    raise changing(root)


def changing(root: str) -> RepositoryError:
    """The error that stands for files that do not keep still."""
    return RepositoryError(root, "files keep changing while they are compared", "verify a commit, or wait")
