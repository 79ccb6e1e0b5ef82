"""An answer for one sample and for many under the selected backend, timed by pytest-benchmark.

KERAS_BACKEND=jax pytest benchmarks/test_inference.py
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trivium.backends import catalog
from trivium.benchmarks.suites.inference import LATENCY, RECIPES, THROUGHPUT


@pytest.mark.parametrize("size", [LATENCY, THROUGHPUT])
@pytest.mark.parametrize("name", RECIPES)
def test_answer(name: str, size: int, benchmark: BenchmarkFixture) -> None:
    backend = catalog.use()
    from trivium.benchmarks.inference_session import InferenceSession

    session = InferenceSession(name, batch_size=size)
    benchmark.group = f"{name}, {size} at a time"
    benchmark.extra_info.update(backend=backend.name, batch_size=size, parameters=session.parameters)
    benchmark(session.predict)
