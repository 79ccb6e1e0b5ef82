"""Text from a trained model, token by token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...errors import DataError, OptionError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..data.sources.text import to_codes
from ..keras_model.inference import as_floats
from ..preprocessing.tokens import Tokens
from ..preprocessing.transforms import Window


def generate(
    source: Bundle | str | Path,
    seed_text: str | None = None,
    *,
    length: int = 400,
    temperature: float = 1.0,
    seed: int = 0,
) -> Iterator[str]:
    """Continue a text. Yields the seed text, then one token at a time, as it comes.

    The choice is NumPy's, so one seed gives one text on every backend, as long as their probabilities agree.

    Args:
        source: a bundle of a text recipe, its file, or its run folder.
        seed_text: what to continue; shorter than the model's window it is repeated to fill it. Without one the
            beginning of the training text.
        length: how many tokens to add.
        temperature: above 0; the probabilities are taken to the power of its inverse: low is sure, high is wild.
        seed: of the choices.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: it does not hold a text model, or the seed text has letters that it does not know.
        OptionError: a length or temperature that cannot be.
    """
    if length < 1 or not 0 < temperature < float("inf"):
        raise OptionError(f"length must be 1 or more and temperature above 0, received {length} and {temperature:g}")
    found = bundles.load(source)
    tokens, window = _reader(found)
    context = found.recorded_inputs[0] if seed_text is None else _context(tokens, window, seed_text)
    return _continue(found, tokens, context, length, temperature, np.random.default_rng(seed), seed_text)


def sample(probabilities: np.ndarray, temperature: float, generator: np.random.Generator) -> int:
    """One index, drawn by probabilities (n,) that were sharpened or flattened by the temperature."""
    logits = np.log(np.maximum(probabilities.astype("float64"), 1e-30)) / temperature
    weights = np.cumsum(np.exp(logits - logits.max()))
    return int(np.searchsorted(weights, generator.random() * weights[-1], side="right"))


def _continue(
    found: Bundle,
    tokens: Tokens,
    context: np.ndarray,
    length: int,
    temperature: float,
    generator: np.random.Generator,
    seed_text: str | None,
) -> Iterator[str]:
    yield tokens.joint.join(tokens.names[int(number)] for number in context) if seed_text is None else seed_text
    model = found.model
    for _ in range(length):
        # Not `predict`, which sets up an iterator for a single sample.
        probabilities = as_floats(model.predict_on_batch(context[None]))[0, : len(tokens.names)]
        number = sample(probabilities, temperature, generator)
        context = np.append(context[1:], np.asarray(number, context.dtype))
        yield tokens.joint + tokens.names[number]


def writes(found: Bundle) -> bool:
    """Whether the bundle holds a text model: one whose inputs are windows over tokens."""
    return [isinstance(step, Tokens | Window) for step in found.preprocessing.inputs.steps] == [True, True]


def _reader(found: Bundle) -> tuple[Tokens, Window]:
    steps = found.preprocessing.inputs.steps
    if len(steps) == 2 and isinstance(steps[0], Tokens) and isinstance(steps[1], Window):
        return steps[0], steps[1]
    raise DataError(f"the bundle of {found.run['recipe']} does not write texts: train text/letters or text/words")


def _context(tokens: Tokens, window: Window, seed_text: str) -> np.ndarray:
    numbers = tokens(to_codes(seed_text))
    if len(numbers) == 0:
        raise DataError("the seed text is empty: give some words, or none at all")
    return np.tile(numbers, -(-window.length // len(numbers)))[-window.length :]
