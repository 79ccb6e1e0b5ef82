"""Text: to numbers and back, through a model, and on from there."""

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.data import datasets
from trivium.engine.data.dataset import Dataset, Split
from trivium.engine.data.sources.text import to_codes, to_text
from trivium.engine.prediction.generation import generate, sample
from trivium.engine.preprocessing.pipeline import Chain, Preprocessing
from trivium.engine.preprocessing.tokens import UNKNOWN, Letters, Words
from trivium.engine.preprocessing.transforms import After, Window
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError

TEXT = "the cat sat on the mat; the cat's mat. Ünïcode — 日本 😀 too!\n" * 12


def dataset(text=TEXT):
    codes = to_codes(text)
    return Dataset("text:test", Split(codes, codes), None, (), "made here")


@pytest.fixture(scope="module")
def bundle(backend):
    """A tiny letter model after one epoch; its probabilities are anything but uniform."""
    run = Trainer("text/letters", options={"window": 8, "units": 6}, epochs=2, learning_rate=0.05).fit(dataset())
    return Bundle.of(run)


def test_every_letter_comes_back():
    fitted = Letters().fit(to_codes(TEXT))
    numbers = fitted(to_codes(TEXT))
    assert (numbers.dtype, numbers.min(), numbers.max()) == (np.int32, 0, len(set(TEXT)) - 1)
    assert to_text(fitted.inverse(numbers)) == TEXT


def test_a_letter_that_was_not_trained_on_is_named():
    with pytest.raises(DataError, match="letters that the training text did not have: 'Zß'"):
        Letters().fit(to_codes("abc"))(to_codes("abßZ"))


def test_words_are_numbered_by_frequency_and_the_rare_ones_are_unknown():
    fitted = Words(size=4).fit(to_codes("b a b c a b It's it's"))
    assert fitted.names == (UNKNOWN, "b", "a", "it's")
    assert fitted(to_codes("a b c d it's")).tolist() == [2, 1, 0, 0, 3]
    assert to_text(fitted.inverse(np.array([1, 3, 0]))) == f"b it's {UNKNOWN}"


@pytest.mark.parametrize(("count", "stride"), [(20, 1), (20, 3), (21, 3), (22, 3), (23, 3), (9, 3)])
def test_each_window_goes_with_the_token_after_it(count, stride):
    tokens = np.arange(count)
    chains = Window(length=8, stride=stride, tokens=True), After(length=8, stride=stride, tokens=True)
    x, y = Preprocessing(*(Chain((chain,)) for chain in chains)).pairs(tokens, tokens)
    assert len(x) == len(range(0, count - 8, stride))
    for window, target in zip(x, y, strict=True):
        assert window.tolist() == list(range(target - 8, target))
        assert target % stride == 8 % stride


def test_a_file_is_read_with_any_line_ends(tmp_path):
    (tmp_path / "t.txt").write_bytes("\ufeffone\r\ntwo ü".encode())
    data = datasets.load(f"text:{tmp_path / 't.txt'}")
    assert to_text(data.train.x) == "one\ntwo ü"
    assert data.test is None


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe\xfd", "not a text in UTF-8"), (b" \n", "no text in it")])
def test_what_is_no_text_is_one_line(tmp_path, content, message):
    (tmp_path / "t.txt").write_bytes(content)
    with pytest.raises(DataError, match=message):
        datasets.load(f"text:{tmp_path / 't.txt'}")
    with pytest.raises(DataError, match="no such file"):
        datasets.load("text:nosuch.txt")


def test_python_brings_a_text_of_its_own():
    assert "statement" in to_text(datasets.load("text").train.x)


def test_the_model_has_as_many_outputs_as_the_text_has_letters(bundle):
    assert bundle.run["settings"]["options"]["vocabulary"] == len(set(TEXT))
    assert bundle.model.output_shape == (None, len(set(TEXT)))
    given = Trainer("text/letters", options={"vocabulary": 99, "window": 8})
    given.prepare(dataset())
    assert given.options["vocabulary"] == 99


def test_the_recipes_own_learning_rate_goes_with_its_own_optimizer_only():
    assert Trainer("text/letters").settings["learning_rate"] == 0.01
    assert Trainer("text/letters", optimizer="adam").settings["learning_rate"] is None
    assert Trainer("text/letters", learning_rate=0.5).settings["learning_rate"] == 0.5


def test_a_text_is_continued_letter_by_letter_and_the_seed_decides_how(bundle):
    first = list(generate(bundle, "the cat sat on", length=30, seed=7))
    assert first[0] == "the cat sat on"
    assert [len(piece) for piece in first[1:]] == [1] * 30
    assert list(generate(bundle, "the cat sat on", length=30, seed=7)) == first
    assert list(generate(bundle, "the cat sat on", length=30, seed=8)) != first


def test_without_a_seed_text_it_goes_on_from_the_beginning_of_its_training_text(bundle):
    assert next(generate(bundle, length=1)) == TEXT[:8]


def test_a_short_seed_text_fills_the_window_by_repetition(bundle):
    assert len("".join(generate(bundle, "a", length=5))) == 6


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"length": 0}, OptionError, "length must be 1 or more"),
        ({"temperature": 0.0}, OptionError, "temperature above 0"),
        ({"seed_text": "Z"}, DataError, "letters that the training text did not have: 'Z'"),
        ({"seed_text": ""}, DataError, "seed text is empty"),
    ],
)
def test_what_cannot_be_continued_is_refused(bundle, settings, error, message):
    with pytest.raises(error, match=message):
        "".join(generate(bundle, **settings))


def test_another_kind_of_model_writes_no_text(saved_runs):
    with pytest.raises(DataError, match="rnn/lstm does not write texts"):
        generate(saved_runs["lstm"])


def test_samples_follow_the_probabilities(generator):
    probabilities = np.array([0.1, 0.6, 0.0, 0.3])
    drawn = np.bincount([sample(probabilities, 1.0, generator) for _ in range(4000)], minlength=4) / 4000
    np.testing.assert_allclose(drawn, probabilities, atol=0.04)


def test_a_low_temperature_takes_the_likeliest_a_high_one_takes_any(generator):
    probabilities = np.array([0.2, 0.5, 0.3])
    assert {sample(probabilities, 0.01, generator) for _ in range(200)} == {1}
    drawn = np.bincount([sample(probabilities, 1e6, generator) for _ in range(3000)]) / 3000
    np.testing.assert_allclose(drawn, 1 / 3, atol=0.05)


def write(path, seed):
    """Run under any backend: what a bundle writes."""
    return "".join(generate(path, "the cat", length=60, seed=seed, temperature=0.7))


@pytest.mark.several_backends
def test_one_seed_writes_one_text_on_every_backend(bundle, tmp_path):
    bundle.save(tmp_path / "b.trivium")
    texts = {
        b.name: worker.get(b.name).call(f"{__file__}:write", str(tmp_path / "b.trivium"), 3)
        for b in catalog.installed()
    }
    assert len(set(texts.values())) == 1, texts
