"""An epoch at each batch size under the selected backend, timed by pytest-benchmark.

KERAS_BACKEND=jax pytest benchmarks/test_batch_size.py -k 64
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trivium.backends import catalog
from trivium.benchmarks.suites.batch_size import RECIPE, SIZES


@pytest.mark.parametrize("size", SIZES)
def test_epoch(size: int, benchmark: BenchmarkFixture) -> None:
    backend = catalog.use()
    from trivium.benchmarks.epoch_session import EpochSession

    session = EpochSession(RECIPE, batch_size=size)
    benchmark.group = RECIPE
    benchmark.extra_info.update(backend=backend.name, batch_size=size, samples=session.samples)
    benchmark.pedantic(session.time_epoch, rounds=5)
