"""Every Keras optimizer, with each of its arguments, trains to the same weights on every backend in float64."""

from pathlib import Path

import compared_optimizers
import numpy as np
import pytest
from compared_optimizers import COMMON, SECTION, TOLERANCE, OptimizerCase

DOCUMENT = Path(__file__).parents[3] / "docs" / "same-run.md"
CASES = compared_optimizers.cases()
# Where the backends' arithmetic is easiest to get wrong: moments of sparse gradients, and clipping before averaging.
SLICE = [
    OptimizerCase("Adam", "EMA", {**COMMON["EMA"], **COMMON["global clipnorm"], "amsgrad": True}),
    OptimizerCase("Muon"),
]


@pytest.mark.plain
def test_every_optimizer_is_compared_and_has_a_row_in_the_documentation():
    text = DOCUMENT.read_text("utf-8")
    table = text[text.index(SECTION.begin) : text.index(SECTION.end)]
    for optimizer in dict.fromkeys(case.optimizer for case in CASES):
        assert f"| `{optimizer}` |" in table
    for case in CASES:
        assert case.column != "own" or f"`{case}`" in table


@pytest.mark.plain
def test_the_table_has_the_largest_difference_of_each_column():
    measured = {
        "a": (OptimizerCase("SGD"), 1e-15),
        "b": (OptimizerCase("SGD", "own", {"momentum": 0.9}), 2e-16),
        "c": (OptimizerCase("SGD", "own", {"nesterov": True}), 3e-12),
    }
    lines = compared_optimizers.table(measured).splitlines()
    assert lines[4] == "| `SGD` | 1e-15 |  |  |  |  |  |  |  | 3e-12 |"
    assert "`SGD(momentum=0.9)`, `SGD(nesterov=True)`" in lines[6]


def test_no_optimizer_of_keras_is_left_out(backend):
    import keras

    classes = [getattr(keras.optimizers, name) for name in dir(keras.optimizers)]
    names = {cls.__name__ for cls in classes if isinstance(cls, type) and issubclass(cls, keras.optimizers.Optimizer)}
    # `MultiOptimizer` holds others, and has no arithmetic of its own.
    assert names - {"Optimizer", "MultiOptimizer"} == {case.optimizer for case in CASES}


def test_each_argument_acts_within_these_steps(backend):
    """Otherwise the comparison would show nothing."""
    import keras

    keras.utils.clear_session()
    listed = [
        OptimizerCase("SGD"),
        *(case for case in CASES if case.optimizer == "SGD" and case.column != "loss scale"),
    ]
    default, *weights = compared_optimizers.train([{**vars(case)} for case in listed[:7]])
    for case, arrays in zip(listed[2:7], weights[1:], strict=True):
        assert max(np.abs(a - b).max() for a, b in zip(arrays, default, strict=True)) > 1e-6, str(case)


@pytest.mark.several_backends
def test_some_optimizers_train_to_the_same_weights():
    for text, (_, difference) in compared_optimizers.differences(SLICE).items():
        assert difference < TOLERANCE, text


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("optimizer", dict.fromkeys(case.optimizer for case in CASES))
def test_every_optimizer_trains_to_the_same_weights(optimizer):
    listed = [case for case in CASES if case.optimizer == optimizer]
    for text, (_, difference) in compared_optimizers.differences(listed).items():
        assert difference < TOLERANCE, text
