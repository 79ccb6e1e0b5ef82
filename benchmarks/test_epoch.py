"""One steady epoch of each recipe under the selected backend, timed by pytest-benchmark.

KERAS_BACKEND=jax pytest benchmarks/test_epoch.py
KERAS_BACKEND=jax pytest benchmarks/test_epoch.py -k striding --benchmark-json=jax.json
"""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from trivium.backends import catalog
from trivium.models import recipe as recipes


@pytest.mark.parametrize("name", recipes.registry())
def test_epoch(name: str, benchmark: BenchmarkFixture) -> None:
    backend = catalog.use()
    from trivium.benchmarks.epoch_session import EpochSession

    session = EpochSession(name)
    benchmark.group = name
    benchmark.extra_info.update(backend=backend.name, parameters=session.parameters, samples=session.samples)
    benchmark.pedantic(session.time_epoch, rounds=5)
