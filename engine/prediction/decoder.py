"""New pictures from a trained autoencoder: its decoder alone, fed with codes that no picture was the origin of."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np

from ...errors import DataError, OptionError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..keras_model.inference import as_floats

DECODER = "decoder"


def decodes(found: Bundle) -> bool:
    """Whether the bundle's model has a decoder of its own; builds the model."""
    return any(layer.name == DECODER for layer in found.model.layers)


def decode(source: Bundle | str | Path, codes: np.ndarray) -> np.ndarray:
    """The pictures that codes stand for, as the training data were before preparation.

    Args:
        source: a bundle of an autoencoder, its file, or its run folder.
        codes: (n, numbers in a code) float32.

    Returns:
        (n, height, width), in the range of the raw data.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: its model has no layer named `decoder`, or one for codes of another length.
    """
    found = bundles.load(source)
    if not decodes(found):
        raise DataError(f"the bundle of {found.run['recipe']} has no decoder: train functional/autoencoder")
    expected = code_length(found)
    if codes.ndim != 2 or codes.shape[1] != expected:
        raise DataError(f"codes have shape {codes.shape}, expected (n, {expected})")
    prepared = as_floats(found.model.get_layer(DECODER).predict(codes, verbose=0))
    return found.preprocessing.targets.inverse(prepared)


def code_length(found: Bundle) -> int:
    """How many numbers a code has."""
    return int(found.model.get_layer(DECODER).inputs[0].shape[1])


def lattice(side: int) -> np.ndarray:
    """Codes of two numbers at equal steps of a normal distribution's share: (side², 2), row by row from the top left.

    Every code of the training data is about equally likely to lie in each cell of it.

    Raises:
        OptionError: less than one row.
    """
    if side < 1:
        raise OptionError(f"a grid needs 1 row or more, received {side}")
    places = [NormalDist().inv_cdf((index + 0.5) / side) for index in range(side)]
    return np.array([(across, -down) for down in places for across in places], "float32")


def random_codes(count: int, length: int, seed: int) -> np.ndarray:
    """Codes drawn from the normal distribution that training drew them towards: (count, length)."""
    return np.random.default_rng(seed).standard_normal((count, length)).astype("float32")
