"""PyTorch flushes denormal numbers to zero while a model trains, and only then."""

import pytest

from trivium.backends import runtime


@pytest.fixture
def products(backend):
    """Return a function that computes a million denormal products on two threads: the fraction that is not zero."""
    if backend.name != "torch":
        pytest.skip("this backend always flushes denormals to zero")
    import torch

    def multiply():
        return float((torch.full((1_000_000,), 1e-30) * 1e-10 * 1e20 != 0).float().mean())

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    yield multiply
    torch.set_num_threads(threads)


def test_denormals_are_zero_while_a_model_trains_and_only_then(products):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    assert products() == 1
    with runtime.current().tuned(model):
        assert products() == 0
        with runtime.current().tuned(model):
            assert products() == 0
        assert products() == 0
    assert products() == 1


def test_flushing_that_the_user_switched_on_stays_on(products):
    import torch

    from trivium.backends.torch import denormals

    torch.set_flush_denormal(True)
    try:
        with denormals.flush_to_zero():
            assert products() == 0
        assert denormals.flushes_to_zero()
    finally:
        denormals._set_flush_to_zero(False)
    assert products() == 1


def test_a_single_thread_flushes_too(products):
    import torch

    from trivium.backends.torch.denormals import flush_to_zero

    torch.set_num_threads(1)
    with flush_to_zero():
        assert products() == 0
    assert products() == 1
