"""The files beside `model.py` in a folder of native source: `check.py`, and the README."""

from __future__ import annotations

import json
from typing import Any

# Follows `python -I -B -c`: imports the check where neither Keras nor trivium can be, and keeps what the model answers.
FRESH = """
import sys


class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        absent = name.partition(".")[0] in ("keras", "trivium")
        return None if absent else self.finder.find_spec(name, path, target)


sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
folder, answers = sys.argv[1:]
sys.path.insert(0, folder)
import numpy as np
import check

found = check.answers()
assert not {"keras", "trivium"} & set(sys.modules)
np.savez(answers, **{f"{name}/output_{i}": a for name, batch in found.items() for i, a in enumerate(batch)})
"""

CHECK = '''"""Does `model.py` answer as the Keras model did that it was written from?

`python check.py` gives it the inputs in `recorded.npz` and compares its answers with those
recorded there; the exit code is 1 where they differ. Neither Keras nor trivium is needed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
{predict}


TOLERANCE = {tolerance!r}  # of the largest value in an output


def recorded(side: str) -> dict[str, list[np.ndarray]]:
    """The recorded batches of one side, "input" or "output", an array for each."""
    path = Path(__file__).with_name("recorded.npz")
    batches: dict[str, list[np.ndarray]] = {{}}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            batch, _, name = key.partition("/")
            if name.startswith(side):
                batches.setdefault(batch, []).append(arrays[key])
    return batches


def answers() -> dict[str, list[np.ndarray]]:
    """What the model answers to each recorded batch."""
    return {{name: list(predict(*given)) for name, given in recorded("input").items()}}


def difference(expected: np.ndarray, received: np.ndarray, usual: np.ndarray) -> float:
    """The largest difference, relative to the largest value that is expected, here or of what is usual."""
    expected, received = expected.astype("float64"), received.astype("float64")
    scale = max(float(abs(expected).max()), float(abs(usual).max()))
    return float(abs(received - expected).max()) / (scale or 1.0)


def main() -> int:
    failed = False
    every, received = recorded("output"), answers()
    for name, expected in every.items():
        found = max(map(difference, expected, received[name], every.get("recorded", expected)))
        failed = failed or not found <= TOLERANCE
        print(f"{{name:10}} largest difference {{found:.1e}}, allowed {{TOLERANCE:.0e}}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
'''


def readme(title: str, facts: dict[str, Any], example: str) -> str:
    """What the folder holds and how it is used.

    Args:
        title: the framework's.
        facts: what `port.json` says.
        example: a few lines of Python that use the model.
    """
    lines = [
        f"# {facts['recipe'] or 'A model'} for {title}",
        "",
        "Native source code that trivium wrote from a trained Keras model; it needs neither.",
        "",
        f"    pip install {' '.join(facts['requires'])}",
        "    python check.py",
        "",
        "```python",
        *example.rstrip().splitlines(),
        "```",
        "",
        "| file | what is in it |",
        "|---|---|",
        "| `model.py` | the model; what it takes and gives is said in it |",
        "| `weights.safetensors` | its trained weights, which `model.py` loads |",
        "| `check.py`, `recorded.npz` | inputs with the Keras model's answers, and the comparison with them |",
        "| `port.json` | inputs, outputs, labels, preparation, and how this was verified |",
        "",
    ]
    for side in ("inputs", "outputs"):
        lines.append(f"{side.capitalize()}:")
        lines += ["", *(f"- `{tensor['name']}` {_shape(tensor['shape'])} {tensor['dtype']}" for tensor in facts[side]), ""]
    if facts["raw_inputs"]:
        lines += ["Inputs are raw: their preparation is part of the model.", ""]
    elif facts["preparation"].get("inputs"):
        steps = json.dumps(facts["preparation"]["inputs"])
        lines += ["Inputs must be prepared as the model was trained:", "", f"    {steps}", ""]
    if facts["labels"]:
        lines += [f"Classes, in the order of the last axis: {', '.join(map(str, facts['labels']))}.", ""]
    return "\n".join(lines)


def _shape(shape: list[int | None]) -> str:
    return f"({', '.join('any' if length is None else str(length) for length in shape)})"
