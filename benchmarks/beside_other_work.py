"""How much longer is an epoch while another process keeps a core busy?

    python -m trivium.benchmarks.beside_other_work --recipes dense/one-hidden

Trains each recipe on each backend, in a process of its own, by turns beside an idle machine and beside a process that
computes without a pause; what follows a change immediately does not count. The result is printed as JSON: the busy
seconds of an epoch ÷ the quiet ones.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from ..backends import catalog
from ..backends.workers.worker import Worker
from . import epoch_session
from .statistics import MIN_ROUNDS, ratio

_RECIPES = "dense/one-hidden,cnn/striding,rnn/lstm"
_BUSY = "while True: pass"
_MIN_SECONDS = 0.8  # of one timing: many turns of the scheduler
QUIET, BUSY = "quiet", "busy"


@contextlib.contextmanager
def other_work() -> Iterator[None]:
    """Within this context, another process keeps one core busy."""
    process = subprocess.Popen([sys.executable, "-c", _BUSY])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def measure(backend: str, recipe: str, rounds: int) -> dict[str, Any]:
    """Return the seconds of an epoch beside nothing and beside other work, and their ratio with its interval."""
    seconds: dict[str, list[float]] = {QUIET: [], BUSY: []}
    with Worker(backend) as worker:
        worker.call(epoch_session.open_session, recipe, recipe, min_seconds=_MIN_SECONDS)
        for _ in range(rounds):
            seconds[QUIET].append(_settled_time(worker, recipe))
            with other_work():
                seconds[BUSY].append(_settled_time(worker, recipe))
    result = ratio(seconds[BUSY], seconds[QUIET])
    return {
        "backend": backend,
        "recipe": recipe,
        **{name: statistics.median(values) for name, values in seconds.items()},
        "ratio": result.ratio,
        "interval": [result.low, result.high],
    }


def _settled_time(worker: Worker, recipe: str) -> float:
    """Return the seconds of an epoch, after some that see the change of the machine's load."""
    worker.call(epoch_session.time_epoch, recipe)
    return float(worker.call(epoch_session.time_epoch, recipe))


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipes", default=_RECIPES, help="divided by commas; by default %(default)s")
    parser.add_argument("--backends", help="divided by commas; by default all that are installed")
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help="of each comparison")
    options = parser.parse_args()
    names = options.backends.split(",") if options.backends else ()
    rows = [
        measure(backend.name, recipe, options.rounds)
        for backend in catalog.resolve(names)
        for recipe in options.recipes.split(",")
    ]
    print(json.dumps({"rows": rows}, indent=1))


if __name__ == "__main__":
    main()
