"""The memory of the machine and of this process, by what each operating system offers."""

import sys

import psutil
import pytest

from trivium.storage import memory

pytestmark = pytest.mark.plain


def test_a_limit_of_the_process_is_its_memory(monkeypatch):
    resource = pytest.importorskip("resource", reason="Windows has no limits of memory")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, -1))
    assert memory.memory_size() == memory.machine_memory() == psutil.virtual_memory().total
    limits = {resource.RLIMIT_AS: (2**30, -1), resource.RLIMIT_DATA: (2**28, -1)}
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    assert memory.memory_size() == 2**28 < memory.machine_memory()


def test_the_peak_is_what_the_system_says_it_is():
    assert memory._peak_by_system() == pytest.approx(memory.memory_peak(), rel=0.5)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the call is of the GNU C library")
def test_freed_pieces_between_others_are_returned_to_the_system():
    process = psutil.Process()
    pieces = [bytearray(60_000) for _ in range(2_000)]  # too small for a mapping of their own
    before = process.memory_info().rss
    others = pieces[::2]
    pieces.clear()
    memory.return_freed_memory()
    assert before - process.memory_info().rss > 40_000_000
    assert len(others) == 1_000
