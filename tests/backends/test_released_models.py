"""What a framework holds of models that are gone is released: memory does not grow with each model."""

import gc

import numpy as np
import psutil
import pytest

MODELS, FITS = 40, 40
# Of models of one size TensorFlow keeps 130,000 bytes each, of models of growing sizes JAX 400,000.
GROWS = {"jax": 1}
MOST_BYTES, MOST_BYTES_OF_A_FIT = 80_000, 200_000


def predict_by_new_models(sizes, runtime):
    import keras

    for size in sizes:
        model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(size, "relu"), keras.layers.Dense(2)])
        model.predict_on_batch(np.ones((4, 20), "float32"))
        del model
        gc.collect()
        runtime.release_models(thoroughly=True)


@pytest.mark.slow
def test_memory_does_not_grow_with_each_model(backend):
    from trivium.backends import runtime
    from trivium.storage.memory import return_freed_memory

    process, resident = psutil.Process(), []
    for part in range(3):
        sizes = [30 + GROWS.get(backend.name, 0) * (part * MODELS + number) for number in range(MODELS)]
        predict_by_new_models(sizes, runtime.current())
        return_freed_memory()
        resident.append(process.memory_full_info().uss)
    assert resident[2] - resident[1] < MODELS * MOST_BYTES, resident


@pytest.mark.slow
def test_memory_does_not_grow_with_each_fit(backend):
    """TensorFlow kept 510,000 bytes of each fit that drew its dropout by a function of its own."""
    from trivium.engine.search import fits

    x, rows = np.random.default_rng(0).uniform(0, 255, (64, 28, 28)).astype("float32"), np.arange(64)
    fits.store_data("samples", x, rows % 10)
    process, resident = psutil.Process(), []
    for _ in range(3):
        for _ in range(FITS):
            fit = [{"units": 20}, rows, rows[:10], False]
            fits.score_in_worker("samples", "classifier", {"recipe": "dense/dropout", "epochs": 1}, [fit])
        fits._release_models()
        resident.append(process.memory_full_info().uss)
    assert resident[2] - resident[1] < FITS * MOST_BYTES_OF_A_FIT, resident
