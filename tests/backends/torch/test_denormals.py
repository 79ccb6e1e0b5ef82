"""Numbers that are too small count as nothing while a model trains under PyTorch, and no longer."""

import pytest

from trivium.backends import runtime


@pytest.fixture
def products(backend):
    """The share of a million products that are not zero, by two threads where the machine has them."""
    if backend.name != "torch":
        pytest.skip("this backend takes them for zero as it is")
    import torch

    def multiply():
        return float((torch.full((1_000_000,), 1e-30) * 1e-10 * 1e20 != 0).float().mean())

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield multiply
    torch.set_num_threads(threads)


def test_they_are_zero_while_a_model_trains_and_only_then(products):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert products() == 1
    with runtime.current().tuned(model):
        assert products() == 0
        with runtime.current().tuned(model):
            assert products() == 0
        assert products() == 0
    assert products() == 1


def test_whoever_wants_them_to_be_zero_keeps_that(products):
    import torch

    from trivium.backends.torch import denormals

    torch.set_flush_denormal(True)
    try:
        with denormals.flushed():
            assert products() == 0
        assert denormals.are_flushed()
    finally:
        denormals._flush(False)
    assert products() == 1


def test_a_single_thread_is_told_by_itself(products):
    import torch

    from trivium.backends.torch.denormals import flushed

    torch.set_num_threads(1)
    with flushed():
        assert products() == 0
    assert products() == 1
