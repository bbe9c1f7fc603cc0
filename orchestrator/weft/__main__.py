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


if __name__ == "__main__":
    run()
