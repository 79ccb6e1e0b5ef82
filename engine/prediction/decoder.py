"""Generate new images: decode codes with the decoder of a trained autoencoder."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist

import numpy as np

from ...errors import DataError, OptionError
from ..bundles import bundle as bundles
from ..bundles.bundle import Bundle
from ..keras_model.inference import as_floats

DECODER = "decoder"


def has_decoder(bundle: Bundle) -> bool:
    """Return whether the bundle's model has a layer named `decoder`. Builds the model."""
    return any(layer.name == DECODER for layer in bundle.model.layers)


def decode(source: Bundle | str | Path, codes: np.ndarray) -> np.ndarray:
    """Decode codes to images.

    Args:
        source: a bundle of an autoencoder, its file, or its run folder.
        codes: (n, code length) float32.

    Returns:
        (n, height, width) images, in the range of the raw training data.

    Raises:
        BundleError: the bundle cannot be read.
        DataError: the model has no layer named `decoder`, or its codes have another length.
    """
    bundle = bundles.load(source)
    if not has_decoder(bundle):
        raise DataError(f"the bundle of {bundle.run['recipe']} has no decoder: train functional/autoencoder")
    expected = code_length(bundle)
    if codes.ndim != 2 or codes.shape[1] != expected:
        raise DataError(f"codes have shape {codes.shape}, expected (n, {expected})")
    prepared = as_floats(bundle.model.get_layer(DECODER).predict(codes, verbose=0))
    return bundle.preprocessing.targets.inverse(prepared)


def code_length(bundle: Bundle) -> int:
    """Return the length of a code."""
    return int(bundle.model.get_layer(DECODER).inputs[0].shape[1])


def code_grid(side: int) -> np.ndarray:
    """Return a grid of codes of length two, (side², 2), row by row from the top left.

    The coordinates are quantiles of the normal distribution at equal steps, so that the codes of the training data are
    spread about equally over the cells of the grid.

    Raises:
        OptionError: `side` is below 1.
    """
    if side < 1:
        raise OptionError(f"a grid needs 1 row or more, received {side}")
    quantiles = [NormalDist().inv_cdf((index + 0.5) / side) for index in range(side)]
    return np.array([(across, -down) for down in quantiles for across in quantiles], "float32")


def random_codes(count: int, length: int, seed: int) -> np.ndarray:
    """Draw (count, length) codes from the standard normal distribution, which training regularises codes towards."""
    return np.random.default_rng(seed).standard_normal((count, length)).astype("float32")
