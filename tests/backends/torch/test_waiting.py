"""PyTorch's threads wait for each other only for a moment while other processes are busy."""

import subprocess
import sys
import threading
import time

import pytest

from trivium.backends import runtime


@pytest.fixture(autouse=True)
def _pytorch(backend):
    if backend.name != "torch":
        pytest.skip("PyTorch's threads are tested under PyTorch")


def team():
    return [thread for thread in threading.enumerate() if thread.name == "trivium-waiting"]


@pytest.fixture
def others():
    """The cores that other processes keep busy, in a list of one number."""
    return [0.0]


@pytest.fixture
def waiting(others, monkeypatch):
    """The waiting of two threads on two processors: from one look to the next this process takes one of them."""
    import torch

    from trivium.backends.torch import waiting

    now = [0.0, 0.0]

    def read():
        now[0] += 1.0
        now[1] += others[0]
        return waiting.ProcessorTimes(now=now[0], busy=now[1] + now[0], own=now[0])

    monkeypatch.setattr(waiting, "_SECONDS", 0.0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    here = waiting.Waiting(read, 2)
    yield here
    here.close()


@pytest.mark.parametrize(
    ("cores", "is_brief"),
    [
        ([0.0, 0.1, 0.2], False),
        ([0.0, 1.0], True),
        ([1.0, 0.2], True),  # between the two limits it stays as it is
        ([1.0, 0.1], False),
        ([1.0, 0.1, 0.2], False),
    ],
)
def test_threads_wait_briefly_while_others_need_their_cores(waiting, others, cores, is_brief):
    waiting.adapt()
    for others[0] in cores:
        waiting.adapt()
    assert waiting.is_brief == is_brief
    assert len(team()) == is_brief


def test_cores_that_the_threads_do_not_use_are_no_reason(waiting, others, monkeypatch):
    import torch

    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    others[0] = 1.0
    for _ in range(3):
        waiting.adapt()
    assert not waiting.is_brief


def test_the_team_ends_with_the_waiting(waiting, others):
    others[0] = 1.5
    for _ in range(2):
        waiting.adapt()
    assert team()
    waiting.close()
    assert not team()
    assert not waiting.is_brief


def test_the_times_of_the_processors_tell_this_process_from_others(backend):
    if not sys.platform.startswith("linux"):
        pytest.skip("only Linux' times are read")
    from trivium.backends.torch.waiting import ProcessorTimes

    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        before = ProcessorTimes.read()
        time.sleep(1.0)
        after = ProcessorTimes.read()
        other.kill()
    busy, own = after.busy - before.busy, after.own - before.own
    assert busy - own >= 0.5 if runtime.cores() > 1 else busy > 0
    assert own <= 0.3, "this process has slept"


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT"])
def test_what_the_user_says_is_left_alone(monkeypatch, name):
    from trivium.backends.torch import waiting

    monkeypatch.setenv(name, "1")
    waiting._is_adaptable.cache_clear()
    assert not waiting._is_adaptable()
    waiting._is_adaptable.cache_clear()


def test_gnus_threads_are_recognised_where_pytorch_has_them(monkeypatch):
    from trivium.backends.torch import waiting

    pools = [
        {"prefix": "libgomp", "filepath": "/x/torch/lib/libgomp.so.1"},
        {"prefix": "libiomp", "filepath": "/torch/"},
    ]
    monkeypatch.setattr(sys, "platform", "linux")
    for name in waiting._SAID_BY:
        monkeypatch.delenv(name, raising=False)
    for found, is_gnu in ((pools, True), (pools[1:], False), ([], False)):
        monkeypatch.setattr(waiting, "threadpool_info", lambda found=found: found)
        waiting._is_adaptable.cache_clear()
        assert waiting._is_adaptable() == is_gnu
    waiting._is_adaptable.cache_clear()
