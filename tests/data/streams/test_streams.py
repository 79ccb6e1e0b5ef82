"""Sources of batches are known by their protocol, and give their batches again where they can."""

import collections

import numpy as np
import pytest

from trivium.data.data_source import dataset_of
from trivium.data.streams.recognition import stream_of
from trivium.data.streams.stream import IteratedStream, SampleStream
from trivium.errors import DataError

pytestmark = pytest.mark.plain

BATCHES = [(np.full((2, 3), float(n)), np.full(2, n)) for n in range(3)]


def in_order(number, samples):
    return np.arange(samples)


def reversed_order(number, samples):
    return np.arange(samples)[::-1]


def numbers(stream, number=0, order=in_order):
    """Return the targets of each batch of a pass, with a batch size of 2."""
    return [split.y.tolist() for split in stream.batches(number, 2, order)]


def generator():
    yield from BATCHES


class Loader:
    """An iterable of batches with a length, as PyTorch's DataLoader."""

    def __iter__(self):
        return iter(BATCHES)

    def __len__(self):
        return 3


class Samples:
    """Single samples by number, as PyTorch's Dataset."""

    def __len__(self):
        return 5

    def __getitem__(self, number):
        return np.full(3, float(number)), number


def test_a_function_gives_its_batches_in_each_pass():
    stream = stream_of(generator)
    assert stream.steps(2) is None
    assert stream.can_repeat
    assert stream.sample(2).y.tolist() == [0, 0]
    assert numbers(stream) == numbers(stream) == [[0, 0], [1, 1], [2, 2]]


def test_an_iterator_gives_its_batches_once_its_sample_included():
    stream = stream_of(generator())
    assert not stream.can_repeat
    assert stream.sample(2).y.tolist() == [0, 0]
    assert numbers(stream) == [[0, 0], [1, 1], [2, 2]]
    assert numbers(stream) == []


def test_an_iterable_knows_its_length():
    stream = stream_of(Loader())
    assert (stream.steps(2), stream.kind) == (3, "a Loader")
    assert numbers(stream) == numbers(stream) == [[0, 0], [1, 1], [2, 2]]


def test_single_samples_come_in_the_order_and_batch_size_of_the_run():
    stream = stream_of(Samples())
    assert isinstance(stream, SampleStream)
    assert stream.steps(2) == 3
    assert numbers(stream) == [[0, 1], [2, 3], [4]]
    assert numbers(stream, order=reversed_order) == [[4, 3], [2, 1], [0]]


@pytest.mark.parametrize(
    "data", ["mnist", (BATCHES[0]), {"x": BATCHES[0][0]}, BATCHES[0][0], [BATCHES[0]], 7, None, collections.OrderedDict]
)
def test_what_is_no_source_of_batches_is_none(data):
    assert stream_of(data) is None


def test_what_a_source_raises_is_one_line_with_the_batch():
    def fails():
        yield BATCHES[0]
        raise OSError("the disk is gone\nsecond line")

    with pytest.raises(DataError) as caught:
        numbers(stream_of(fails))
    assert str(caught.value) == "batch 2 of the function fails failed: OSError: the disk is gone"


@pytest.mark.parametrize("data", [lambda: 7, lambda: 1 / 0])
def test_a_function_without_batches_is_refused(data):
    with pytest.raises(DataError, match=r"the function <lambda> failed: (TypeError|ZeroDivisionError)"):
        dataset_of(data)


def test_a_source_without_a_batch_is_refused():
    with pytest.raises(DataError, match="the function <lambda> has no batches"):
        dataset_of(lambda: iter(()))


def test_the_dataset_of_a_stream_has_its_first_batch():
    dataset = dataset_of(generator)
    assert isinstance(dataset.stream, IteratedStream)
    np.testing.assert_array_equal(dataset.train.x, BATCHES[0][0])
    assert dataset.describe() == {
        "name": "the stream (the function generator)",
        "source": "the function generator",
        "checksum": None,
        "stream": "the function generator",
        "test": 0,
        "notes": ["Nothing is held out of a stream for validation."],
    }


def test_what_needs_arrays_refuses_a_stream():
    with pytest.raises(DataError, match="whose batches come one after the other: a search needs arrays"):
        dataset_of(generator).require_arrays("a search")
