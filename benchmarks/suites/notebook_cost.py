"""What the progress of a run costs in a notebook: the share of the time that its display takes.

    python -m trivium.benchmarks.suites.notebook_cost --seconds 60

A kernel of Jupyter runs epochs that only wait, 0.1 s each in ten steps, and shows them as `trivium.train` does: with
four metrics, a long history behind it. The time within the display is summed up; it is too small to be seen as a
difference between two runs. Needs nbclient and ipykernel.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from ...notebook.live import LiveDisplay, notebook_output

_STEPS, _STEP_SECONDS = 10, 0.01
_EARLIER_EPOCHS, _ALL_EPOCHS = 1_000, 10_000
_LOGS = {"loss": 0.5, "accuracy": 0.9, "val_loss": 0.6, "val_accuracy": 0.8}


def measure(seconds: float) -> str:
    """Show epochs for so many seconds, in the notebook that calls it; return the costs as a sentence."""
    display = LiveDisplay("train", notebook_output())
    epochs = round(seconds / _STEPS / _STEP_SECONDS)
    for epoch in range(1, _EARLIER_EPOCHS + 1):
        display(_event(epoch, _STEPS))
    within, computing, began = 0.0, 0.0, time.perf_counter()
    with display:
        for epoch in range(_EARLIER_EPOCHS + 1, _EARLIER_EPOCHS + epochs + 1):
            for step in range(1, _STEPS + 1):
                time.sleep(_STEP_SECONDS)
                event = _event(epoch, step)
                start, start_computing = time.perf_counter(), time.thread_time()
                display(event)
                within += time.perf_counter() - start
                computing += time.thread_time() - start_computing
    whole = time.perf_counter() - began
    shares = f"{within / whole:.2%} of the time, computing {computing / whole:.2%}"
    return f"{epochs} epochs in {whole:.1f} s: {within:.3f} s within the display, {shares}"


def _event(epoch: int, step: int) -> dict[str, Any]:
    logs = {name: value / epoch for name, value in _LOGS.items()}
    return {"kind": "train", "epoch": epoch, "epochs": _ALL_EPOCHS, "step": step, "steps": _STEPS, "logs": logs}


@click.command()
@click.option("--seconds", type=float, default=60.0, show_default=True, help="How long to show epochs.")
def main(seconds: float) -> None:
    """Measure what the progress of a run costs in a notebook."""
    try:
        import nbclient
        import nbformat
    except ImportError as error:
        raise click.ClickException(
            "a notebook is run by nbclient and ipykernel: pip install nbclient ipykernel"
        ) from error
    source = f"from {__spec__.name} import measure\nprint(measure({seconds}))"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbclient.NotebookClient(notebook, timeout=None, resources={"metadata": {"path": str(Path.cwd())}}).execute()
    sys.stdout.write("".join(output.get("text", "") for output in notebook.cells[0].outputs))


if __name__ == "__main__":
    main()
