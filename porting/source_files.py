"""Templates of the files beside `model.py` in a folder of native source: `check.py` and the README."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from ..engine.keras_model.loss_names import LOGITS
from ..engine.verification import parity
from ..storage.visible_text import visible_values

# Run by `python -I -B -c`: imports `check.py` with Keras and trivium hidden, and saves the outputs of the model.
ISOLATED_RUN = """
import sys


class HidingFinder:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        hidden = name.partition(".")[0] in ("keras", "trivium")
        return None if hidden else self.finder.find_spec(name, path, target)


sys.meta_path[:] = [HidingFinder(finder) for finder in sys.meta_path]
folder, output_file, *step_files = sys.argv[1:]
sys.path.insert(0, folder)
import numpy as np
import check

outputs = check.predict_batches()
assert not {"keras", "trivium"} & set(sys.modules)
np.savez(output_file, **{f"{name}/output_{i}": a for name, batch in outputs.items() for i, a in enumerate(batch)})
if step_files:
    code, data, after_file = step_files
    step = {}
    exec(compile(open(code, encoding="utf-8").read(), code, "exec"), step)
    with np.load(data, allow_pickle=False) as arrays:
        inputs, targets = [
            [arrays[f"{side}_{i}"] for i in range(len(arrays.files)) if f"{side}_{i}" in arrays.files]
            for side in ("input", "target")
        ]
        after = step["answers_after_step"](inputs, targets, float(arrays["rate"]))
    np.savez(after_file, **{f"output_{i}": a for i, a in enumerate(after)})
"""

CHECK_TEMPLATE = '''"""Check that `model.py` predicts what the original Keras model predicted.

`python check.py` runs the model on the inputs in `recorded.npz` and compares its outputs with
the Keras model's outputs recorded there. If they differ, the exit code is 1. Neither Keras nor
trivium is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

{predict}


TOLERANCE = {tolerance!r}  # relative to the largest value of an output
# Tolerances of batches that differ from TOLERANCE.
TOLERANCES: dict[str, float] = {tolerances!r}


def recorded(side: str) -> dict[str, list[np.ndarray]]:
    """Return the recorded batches of one side, "input" or "output", as lists of arrays."""
    path = Path(__file__).with_name("recorded.npz")
    batches: dict[str, list[np.ndarray]] = {{}}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            batch, _, name = key.partition("/")
            if name.startswith(side):
                batches.setdefault(batch, []).append(arrays[key])
    return batches


def predict_batches() -> dict[str, list[np.ndarray]]:
    """Return the model's outputs for each recorded batch of inputs."""
    return {{name: list(predict(*inputs)) for name, inputs in recorded("input").items()}}


def difference(
    expected: np.ndarray, received: np.ndarray, typical: np.ndarray
) -> float:
    """Return the largest difference, relative to the largest of the other values."""
    expected, received = expected.astype("float64"), received.astype("float64")
    scale = max(float(abs(expected).max()), float(abs(typical).max()))
    return float(abs(received - expected).max()) / (scale or 1.0)


def main() -> int:
    failed = False
    batches, received = recorded("output"), predict_batches()
    for name, expected in batches.items():
        # Outputs of samples from the training data show the usual scale of each output.
        typical = batches.get("recorded", expected)
        largest = max(map(difference, expected, received[name], typical))
        allowed = TOLERANCES.get(name, TOLERANCE)
        failed = failed or not largest <= allowed
        print(f"{{name:10}} largest difference {{largest:.1e}}, allowed {{allowed:.0e}}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
'''


def check_file(predict: str, tolerances: Mapping[str, float]) -> str:
    """Return the text of `check.py`.

    Args:
        predict: the function that predicts one batch.
        tolerances: of the batches for which rounding alone moves the model's outputs, or which the Keras model computes
            more coarsely.
    """
    rounded = {name: min(float(f"{value:.3g}"), sys.float_info.max) for name, value in tolerances.items()}
    return CHECK_TEMPLATE.format(predict=predict.rstrip(), tolerance=parity.tolerance("float32"), tolerances=rounded)


def readme(title: str, facts: dict[str, Any], example: str) -> str:
    """Return the text of the README: the contents of the folder and how to use them.

    Args:
        title: the framework's name.
        facts: the entries of `port.json`.
        example: a few lines of Python that use the model.
    """
    facts = visible_values(facts)  # names and labels may be a stranger's
    lines = [
        f"# {facts['recipe'] or 'A model'} for {title}",
        "",
        "Native source code that trivium generated from a trained Keras model. It needs neither trivium nor Keras.",
        "",
        f"    pip install {' '.join(facts['requires'])}",
        "    python check.py",
        "",
        "```python",
        *example.rstrip().splitlines(),
        "```",
        "",
        "| file | contents |",
        "|---|---|",
        "| `model.py` | the model; its docstrings describe inputs and outputs |",
        "| `weights.safetensors` | its trained weights, which `model.py` loads |",
        "| `check.py`, `recorded.npz` | a check against recorded inputs and outputs of the Keras model |",
        "| `port.json` | inputs, outputs, labels, preprocessing, and how the code was verified |",
        "",
    ]
    if facts.get("computed_in"):
        lines += [f"It computes in float32; the Keras model computes in {facts['computed_in']}.", ""]
    if facts.get("left_out"):
        names = ", ".join(facts["left_out"])
        lines += [
            f"Not in it: {names}, which change samples while a model is trained, and nothing when it answers.",
            "",
        ]
    for side in ("inputs", "outputs"):
        lines.append(f"{side.capitalize()}:")
        lines += [
            "",
            *(f"- `{tensor['name']}` {_shape(tensor['shape'])} {tensor['dtype']}" for tensor in facts[side]),
            "",
        ]
    if facts["raw_inputs"]:
        lines += ["Inputs are raw: the model contains their preprocessing.", ""]
    elif facts["preparation"].get("inputs"):
        steps = json.dumps(facts["preparation"]["inputs"])
        lines += ["Inputs must be preprocessed as they were for training:", "", f"    {steps}", ""]
    outputs = zip(facts["outputs"], facts["output_kinds"], strict=True)
    if logits := [output["name"] for output, kind in outputs if kind == LOGITS]:
        lines += [f"{', '.join(logits)}: logits. A softmax, or a sigmoid of a single one, gives probabilities.", ""]
    if isinstance(facts["labels"], dict):
        for name, labels in facts["labels"].items():
            lines += [f"Classes of {name}, in the order of its last axis: {', '.join(labels)}.", ""]
    elif facts["labels"]:
        lines += [f"Classes, in the order of the last axis: {', '.join(map(str, facts['labels']))}.", ""]
    return "\n".join(lines)


def _shape(shape: list[int | None]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"
