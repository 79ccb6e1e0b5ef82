"""Run the command line and kill its own process at a call of `os`: `killing.py WHEN FUNCTION N ARGUMENTS`.

WHEN is `before` or `after` the N-th call of the function. Nothing else is changed.
"""

import os
import signal
import sys


def main():
    when, name, count, *arguments = sys.argv[1:]
    original, left = getattr(os, name), [int(count)]

    def call(*positional, **keywords):
        left[0] -= 1
        if left[0] == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*positional, **keywords)
        if left[0] == 0 and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, name, call)
    from trivium.cli.main import main as trivium

    trivium(arguments)


if __name__ == "__main__":
    main()
