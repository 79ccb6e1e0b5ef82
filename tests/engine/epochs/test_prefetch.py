"""Batches are read ahead in order, by one thread that ends; its errors are raised where the batch is asked for."""

import threading
import time

import pytest

from trivium.engine.epochs.prefetch import PrefetchedIterator, Prefetcher

pytestmark = pytest.mark.plain


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


def wait_until(condition):
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen within 5 s")


@pytest.fixture
def read():
    """The places that were read, in their order."""
    return []


def reader(read, steps=10, ahead=3):
    def fetch(epoch, place):
        read.append((epoch, place))
        return epoch, place

    return Prefetcher(fetch, steps, ahead)


def test_places_are_read_ahead_and_no_further(read):
    batches = reader(read)
    assert batches(0, 0) == (0, 0)
    wait_until(lambda: len(read) == 4)
    time.sleep(0.05)
    assert read == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert [batches(0, place) for place in range(1, 10)] == [(0, place) for place in range(1, 10)]
    assert read == [(0, place) for place in range(10)]  # each once, and none after the last
    batches.close()
    assert not threads()


def test_another_place_or_epoch_is_read_anew(read):
    batches = reader(read)
    assert [batches(*key) for key in ((0, 4), (0, 1), (1, 1), (1, 2))] == [(0, 4), (0, 1), (1, 1), (1, 2)]
    batches.close()
    assert batches(2, 0) == (2, 0)  # begins again
    batches.close()


def test_an_error_is_raised_for_its_own_batch():
    def fetch(epoch, place):
        if place == 2:
            raise ValueError("batch 2 is damaged")
        return place

    batches = Prefetcher(fetch, 5)
    assert [batches(0, 0), batches(0, 1)] == [0, 1]
    with pytest.raises(ValueError, match="batch 2 is damaged"):
        batches(0, 2)
    assert batches(0, 3) == 3
    batches.close()
    assert not threads()


def test_an_iterator_is_read_ahead_by_a_few_items():
    read = []

    def items():
        for number in range(100):
            read.append(number)
            yield number

    ahead = PrefetchedIterator(items())
    assert not read
    assert next(ahead) == 0
    wait_until(lambda: len(read) >= 5)
    time.sleep(0.05)
    assert len(read) <= 6
    assert list(ahead) == list(range(1, 100))
    with pytest.raises(StopIteration):
        next(ahead)
    ahead.close()
    assert not threads()


def test_an_error_of_an_iterator_comes_after_its_items():
    def items():
        yield 1
        raise ValueError("the disk is gone")

    ahead = PrefetchedIterator(items())
    assert next(ahead) == 1
    for _ in range(2):
        with pytest.raises(ValueError, match="the disk is gone"):
            next(ahead)
    ahead.close()
    assert not threads()


def test_an_endless_iterator_is_left_alone_after_closing():
    def endless():
        while True:
            yield 0

    ahead = PrefetchedIterator(endless())
    next(ahead)
    ahead.close()
    assert not threads()
