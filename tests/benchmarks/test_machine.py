"""The ceilings of the machine: only orders of magnitude, because the machine is unknown."""

import pytest

from trivium.benchmarks import machine

SMALL = {"smallest": 64, "copied": 2**16}


@pytest.fixture
def brief(monkeypatch):
    monkeypatch.setattr(machine, "_MIN_SECONDS", 1e-5)


def test_numpy_and_the_framework_measure_the_ceilings(backend, brief):
    by_library = {"numpy": machine.numpy_ceilings(**SMALL), backend.name: machine.framework_ceilings(**SMALL)}
    for ceilings in by_library.values():
        assert 0.01 < ceilings["gemm_gflops"] < 1e6
        assert 0.01 < ceilings["copy_gbytes"] < 1e5
    highest = machine.highest(by_library)
    assert all(highest[name] == max(each[name] for each in by_library.values()) for name in machine.CEILINGS)


def test_one_thread_is_one_thread(brief):
    assert machine.numpy_ceilings(1, **SMALL)["gemm_gflops"] > 0


def test_the_memory_peak_is_reset():
    import numpy as np

    from trivium.storage.memory import memory_peak

    block = np.ones(2**24, "uint8")
    del block
    before = machine.reset_memory_peak()
    if before > memory_peak() - 2**20:
        block = np.ones(2**26, "uint8")
        assert memory_peak() - before >= 0.9 * block.nbytes


def test_the_settings_of_the_process_are_described(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    settings = machine.describe()
    assert settings["thread_settings"]["OMP_NUM_THREADS"] == "3"
    assert settings["governor"] is None or settings["governor"].isalpha()
