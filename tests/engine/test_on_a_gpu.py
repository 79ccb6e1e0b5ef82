"""On a GPU: the run of the CPU, every plan, memory that does not grow, resuming to the same bits, several devices.

    pytest -m gpu

tests each installed backend, and skips those that find no GPU. `tox -e slow` runs the same tests on the CPU.
"""

from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers.worker import Worker
from trivium.errors import BackendError

FUNCTIONS = Path(__file__).parents[1] / "helpers" / "functions_for_gpus.py"
FOR_DEVICES = FUNCTIONS.with_name("functions_for_devices.py")

# Five full batches and a smaller one.
DIGITS, WAVES = ["mnist:sample", 165], ["waves:0:200", 165]
RUNS = {"dense/dropout": DIGITS, "cnn/pooling": DIGITS, "rnn/lstm": WAVES}
SHORT = {"epochs": 2, "batch_size": 32}

ON = [
    pytest.param((backend, kind), marks=mark, id=f"{backend} on {kind}")
    for kind, mark in (("cpu", pytest.mark.slow), ("gpu", pytest.mark.gpu))
    for backend in ("tensorflow", "jax", "torch")
]


@pytest.fixture(scope="module", params=ON)
def on(request):
    """A worker of a backend on a kind of device: a function that calls a function of `functions_for_gpus.py` there.

    One at a time, because a framework may reserve all memory of a GPU.
    """
    name, kind = request.param
    if not catalog.find(name).installed:
        pytest.skip(f"{name} is not installed")
    with Worker(name, device="cpu" if kind == "cpu" else None, devices=2 if kind == "cpu" else None) as worker:
        if kind not in worker.call(f"{FUNCTIONS}:kinds"):
            pytest.skip("no GPU is found")

        def call(function, *arguments, of=FUNCTIONS, **keywords):
            return worker.call(f"{of}:{function}", *arguments, **keywords)

        call.kind = kind
        yield call


@pytest.fixture(scope="module")
def reference():
    """The runs of `RUNS` in float64 on the CPU, by the first installed backend."""
    name = catalog.trainers()[0].name
    with Worker(name, device="cpu") as worker:
        return {
            recipe: worker.call(f"{FUNCTIONS}:trained", recipe, data, precision="float64", **SHORT)
            for recipe, data in RUNS.items()
        }


def require_same(run, expected, tolerance):
    assert run["history"].keys() == expected["history"].keys()
    for name, values in expected["history"].items():
        np.testing.assert_allclose(run["history"][name], values, rtol=tolerance, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("recipe", RUNS)
def test_the_run_is_that_of_the_cpu(on, reference, recipe):
    run = on("trained", recipe, RUNS[recipe], precision="float64", **SHORT)
    assert run["device"] == on.kind
    require_same(run, reference[recipe], 1e-7)
    for weight, expected in zip(run["weights"], reference[recipe]["weights"], strict=True):
        np.testing.assert_allclose(weight, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("recipe", ["dense/dropout", "cnn/striding", "rnn/lstm"])
def test_every_plan_gives_the_run_of_fit(on, recipe):
    data = WAVES if recipe == "rnn/lstm" else DIGITS
    by_fit = on("trained", recipe, data, plan="fit", **SHORT)
    names = on("plans", recipe, data, **SHORT)
    assert names
    for name in names:
        run = on("trained", recipe, data, plan=name, **SHORT)
        assert run["plan"]["name"] == name
        require_same(run, by_fit, 1e-3)


def test_memory_does_not_grow_with_the_epochs(on):
    few, many = (on("memory_after", "cnn/pooling", DIGITS, epochs, batch_size=32) for epochs in (2, 12))
    assert 0 < many <= 1.1 * few


@pytest.mark.parametrize("recipe", ["dense/dropout", "cnn/striding", "rnn/lstm"])
def test_a_resumed_run_ends_with_the_same_bits(on, tmp_path, recipe):
    data = "waves:0:100" if recipe == "rnn/lstm" else "mnist:sample"
    whole, halves = on("resumed", recipe, str(tmp_path), 4, data=data, batch_size=200)
    for weight, expected in zip(halves, whole, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_two_devices_give_the_run_of_one_or_are_refused(on):
    def train():
        short = {"epochs": 17, "batch_size": 16, "validation_split": 0.0}
        return on("train", ["mnist:sample", 37], of=FOR_DEVICES, recipe=f"{FOR_DEVICES}:convolution", **short)

    if on("kinds").count(on.kind) < 2 and on.kind == "gpu":
        with pytest.raises(BackendError, match=r"^2 devices asked for, but there is 1 .* here: ask for 1 or fewer$"):
            train()
    else:
        one, two = train()
        assert two[2] == {"name": "devices", "count": 2}
        require_same({"history": two[0]}, {"history": one[0]}, 1e-5)
