"""A run folder as a training leaves it; no framework is needed to write one."""

import pytest
from written_runs import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")
