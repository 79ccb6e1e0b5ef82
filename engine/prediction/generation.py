"""Generate text with a trained model, token by token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...data.preprocessing.pipeline import Preprocessing
from ...data.preprocessing.tokens import UNKNOWN, Tokenizer
from ...data.preprocessing.transforms import Window
from ...data.sources.text import to_codes
from ...errors import DataError, OptionError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..keras_model.inference import as_floats


def generate(
    source: Bundle | str | Path,
    seed_text: str | None = None,
    *,
    length: int = 400,
    temperature: float = 1.0,
    seed: int = 0,
    random_start: bool = False,
    known_words: bool = False,
) -> Iterator[str]:
    """Continue a text. Yield the seed text, then each token as soon as it is generated.

    NumPy draws the tokens, so one seed gives the same text on every backend, as long as their probabilities agree.

    Args:
        source: a bundle of a text recipe, its file, or its run folder.
        seed_text: the text to continue, repeated if it is shorter than the model's window. The default is the
            beginning of the recorded text.
        length: the number of tokens to generate.
        temperature: 0 or more; probabilities are raised to the power 1/temperature, so low values give likely text and
            high values give varied text. At 0 the likeliest token is taken.
        seed: of the random choices.
        random_start: begin at a random place of the recorded text, instead of at its first one.
        known_words: never answer the mark that stands for all words beyond the vocabulary.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: it is no text model, or the seed text has tokens that are not in its vocabulary.
        OptionError: length or temperature is out of range; a seed text and a random start are both asked for.
    """
    if length < 1 or not 0 <= temperature < float("inf"):
        raise OptionError(f"length must be 1 or more and temperature 0 or more: {length} and {temperature:g}")
    if seed_text is not None and random_start:
        raise OptionError("a text is continued from `seed_text` or from a random start: leave one out")
    bundle = bundles.load(source)
    tokens, window = _require_text_steps(bundle)
    generator = np.random.default_rng(seed)
    if seed_text is None:
        context = bundle.recorded_inputs[generator.integers(len(bundle.recorded_inputs)) if random_start else 0]
    else:
        context = _encode_seed_text(tokens, window, seed_text)
    left_out = [place for place, text in enumerate(tokens.names) if known_words and text == UNKNOWN]
    return _generate_tokens(bundle, tokens, context, length, temperature, generator, seed_text, left_out)


def sample(probabilities: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """Draw one index from (n,) probabilities, sharpened or flattened by the temperature; at 0 the likeliest."""
    if not temperature:
        return int(probabilities.argmax())
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30)) / temperature
    weights = np.cumsum(np.exp(logits - logits.max()))
    return int(np.searchsorted(weights, generator.random() * weights[-1], side="right"))


def _generate_tokens(
    bundle: Bundle,
    tokens: Tokenizer,
    context: np.ndarray,
    length: int,
    temperature: float,
    generator: np.random.Generator,
    seed_text: str | None,
    left_out: Sequence[int],
) -> Iterator[str]:
    yield tokens.separator.join(tokens.names[int(number)] for number in context) if seed_text is None else seed_text
    model = bundle.model
    for _ in range(length):
        # `predict` would set up a data iterator for a single sample.
        probabilities = as_floats(model.predict_on_batch(context[None]))[0, : len(tokens.names)]
        probabilities[left_out] = 0.0
        number = sample(probabilities, temperature, generator)
        context = np.append(context[1:], np.asarray(number, context.dtype))
        yield tokens.separator + tokens.names[number]


def is_text_model(bundle: Bundle) -> bool:
    """Return whether the bundle holds a text model: its inputs are windows over tokens."""
    return text_steps(bundle.preprocessing) is not None


def text_steps(preprocessing: Preprocessing) -> tuple[Tokenizer, Window] | None:
    """Return the steps that cut a text into tokens and windows; None unless these are all steps of the inputs."""
    steps = preprocessing.inputs.steps
    if len(steps) == 2 and isinstance(steps[0], Tokenizer) and isinstance(steps[1], Window):
        return steps[0], steps[1]
    return None


def _require_text_steps(bundle: Bundle) -> tuple[Tokenizer, Window]:
    steps = text_steps(bundle.preprocessing)
    if steps is None:
        raise DataError(f"the bundle of {bundle.run['recipe']} has no text model: train text/letters or text/words")
    return steps


def _encode_seed_text(tokens: Tokenizer, window: Window, seed_text: str) -> np.ndarray:
    numbers = tokens(to_codes(seed_text))
    if len(numbers) == 0:
        raise DataError("the seed text is empty: give some words, or none at all")
    return np.tile(numbers, -(-window.length // len(numbers)))[-window.length :]
