"""A process that ends a server whose owner is gone, however the owner went. Knows only processes."""

import os
import shutil
import signal
import sys

from weft.stack.processes import Process, end, is_alive

GRACE_SECONDS = 10.0

# What an owner writes that lets the process live on.
RELEASE = b"r"


def guard(process: Process, number: signal.Signals, folder: str) -> None:
    """Wait until stdin is closed, which the kernel does for the dead too; then end the process and remove the folder.

    Does nothing when the process has ended before, as its owner has stopped it in good order, or when it was released.
    An empty `folder` means that none is to be removed.
    """
    if os.read(0, 1) != RELEASE and is_alive(process):
        end(process, (number, GRACE_SECONDS))
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    guard(Process(int(sys.argv[1]), sys.argv[2]), signal.Signals(int(sys.argv[3])), sys.argv[4])
