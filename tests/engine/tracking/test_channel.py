"""Calls in a thread: their order, what one that fails does, and how long the end waits."""

import threading

import pytest

from trivium.engine.tracking.channel import Channel

pytestmark = pytest.mark.plain


def test_calls_are_made_in_their_order():
    numbers: list[int] = []
    channel = Channel()
    for number in range(20):
        channel.submit(lambda number=number: numbers.append(number))
    channel.close()
    assert numbers == list(range(20))
    assert channel.failure == ""


def test_after_a_call_that_failed_none_is_made():
    def fail():
        raise OSError("the disk is full\nand more")

    numbers: list[int] = []
    channel = Channel()
    for call in (lambda: numbers.append(1), fail, lambda: numbers.append(2)):
        channel.submit(call)
    channel.close()
    assert numbers == [1]
    assert channel.failure == "the disk is full"


def test_the_end_does_not_wait_for_a_server_that_hangs():
    release = threading.Event()
    channel = Channel(patience=0.2)
    channel.submit(release.wait)
    channel.close()
    release.set()
    assert channel.failure == "no answer within 0.2 s"
