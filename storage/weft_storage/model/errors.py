"""Errors: a broken world or bad usage. Broken source is data, never one of these.

    WeftError
    ├── UsageError            the command or its arguments make no sense
    ├── ConfigurationError    weft.toml or [tool.weft] cannot be read
    ├── RepositoryError       the repository cannot be read
    ├── BrokerUnavailable     the message queue cannot be reached
    ├── WorkersMissing        nobody takes the work of a run
    ├── RunEnded              a run failed or was cancelled while others were at it
    └── StoreError            the store cannot be used
        ├── StoreUnavailable  it cannot be opened, read or written now
        │   └── StoreFull     it has no room left: somebody must make some
        ├── StoreTooNew       its schema is newer than this program
        ├── StoreBusy         another scan of the project holds it
        └── ProjectUnknown    it does not hold the project

Every one is raised with (subject, problem, remedy), three plain strings, so that it survives pickling and JSON.
"""


class WeftError(Exception):
    """Base of all errors of Weft: what failed (`subject`), why (`problem`), what to do (`remedy`)."""

    def __init__(self, subject: str, problem: str, remedy: str = "") -> None:
        super().__init__(subject, problem, remedy)
        self.subject = subject
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        sentence = f"{self.subject}: {self.problem}"
        return f"{sentence}; {self.remedy}" if self.remedy else sentence


class UsageError(WeftError):
    """The command or its arguments make no sense."""


class ConfigurationError(WeftError):
    """The configuration of a repository cannot be read."""


class RepositoryError(WeftError):
    """The repository cannot be read."""


class BrokerUnavailable(WeftError):  # noqa: N818 - a state of the queue, named as one
    """The message queue cannot be reached now."""


class WorkersMissing(WeftError):  # noqa: N818
    """Nobody takes the work of a run."""


class RunEnded(WeftError):  # noqa: N818
    """A run failed or was cancelled while this process waited for it."""


class StoreError(WeftError):
    """The store cannot be used."""


class StoreUnavailable(StoreError):  # noqa: N818 - a state of the store, named as one
    """The store cannot be opened, read or written now."""


class StoreFull(StoreUnavailable):
    """The store has no room left. Waiting alone rarely helps, and whoever writes later fails too."""


class StoreTooNew(StoreError):  # noqa: N818
    """The store's schema is newer than this program."""


class StoreBusy(StoreError):  # noqa: N818
    """Another scan of the project holds the store."""


class ProjectUnknown(StoreError):  # noqa: N818
    """The store does not hold the project."""

    @classmethod
    def in_store(cls, url: str, project: str) -> "ProjectUnknown":
        """The error for a project of which nothing was published in a store."""
        return cls(f"project '{project}'", f"is not in store '{url}'", "run `weft scan` first")
