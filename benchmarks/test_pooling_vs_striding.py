"""An epoch of each model between pooling and striding under the selected backend, timed by pytest-benchmark.

KERAS_BACKEND=jax pytest benchmarks/test_pooling_vs_striding.py
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trivium.backends import catalog
from trivium.benchmarks.suites.pooling_vs_striding import SWEEP_SAMPLES
from trivium.benchmarks.suites.variants import BOOK, LADDER


@pytest.mark.parametrize("way", LADDER)
@pytest.mark.parametrize("name", BOOK)
def test_epoch(name: str, way: str, benchmark: BenchmarkFixture) -> None:
    backend = catalog.use()
    from trivium.benchmarks.epoch_session import EpochSession

    session = EpochSession(name, options={"way": way}, samples=SWEEP_SAMPLES)
    benchmark.group = name
    benchmark.extra_info.update(backend=backend.name, parameters=session.parameters, samples=session.samples)
    benchmark.pedantic(session.time_epoch, rounds=5)
