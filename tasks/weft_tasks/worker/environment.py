"""The variables of a shell that would decide what Celery loads and whom it talks to. Knows nothing of Celery itself.

A worker is often started in the shell of the very monorepo that it scans, which may have Celery workers of its own:
their APP, BROKER_URL and CELERY_* are theirs.
"""

import os
import re
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

_STRAY = re.compile(
    r"_?(?:CELERY|KOMBU|BILLIARD|C|MP)_.*"
    r"|APP|BROKER_URL|BROKER_READ_URL|BROKER_WRITE_URL|RESULT_BACKEND"
    r"|DJANGO_SETTINGS_MODULE|FORKED_BY_MULTIPROCESSING|REMAP_SIGTERM|NOSETPS"
    r"|AUTOSCALE_KEEPALIVE|EVENTLET_NOBLOCK|TIMER_DEBUG|USE_FAST_LOCALS|NO_WORKER|WORKER_LOGLEVEL",
    re.IGNORECASE | re.DOTALL,
)


def forget_strays(variables: MutableMapping[str, str] = os.environ) -> dict[str, str]:
    """Take what is not meant for us out of the environment of this process; gives what was taken."""
    return {name: variables.pop(name) for name in list(variables) if _STRAY.fullmatch(name)}


@contextmanager
def without_strays() -> Iterator[None]:
    """Do without them for a while, in a process that may be somebody else's."""
    strays = forget_strays()
    try:
        yield
    finally:
        os.environ.update(strays)
