"""`python -m weft` and the console script: the command line."""

import os
import sys


def run() -> None:
    """Run the command line; Ctrl-C while it is still being loaded ends it as quietly as later."""
    try:
        from weft.cli import main

        main()
    except KeyboardInterrupt:
        os.write(2, b"weft: interrupted; the last published graph is as it was\n")
        sys.exit(130)
    finally:
        # An interrupt that passed through source text run by `exec`, as dataclasses use it, leaves a mark in Python:
        # `python -m weft` would end by SIGINT in place of our exit code. Running another text takes it away.
        exec("")  # noqa: S102


if __name__ == "__main__":
    run()
