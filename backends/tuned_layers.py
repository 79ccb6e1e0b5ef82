"""Layers that compute the same function in a faster way while a model trains.

The replacements are set on the layer objects: weights, classes and saved files stay the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

# Whether a layer can be tuned, the method to replace, and what makes the replacement: (layer, method) → function.
Tuning = tuple[Callable[[Any], bool], str, Callable[[Any, Callable[..., Any]], Callable[..., Any]]]


@contextlib.contextmanager
def tuned_layers(layers: Iterable[Any], tunings: Sequence[Tuning]) -> Iterator[None]:
    """Within this context, layers have the methods of the tunings that fit them."""
    replaced = []
    try:
        for layer in layers:
            for fits, name, tune in tunings:
                if fits(layer):
                    setattr(layer, name, tune(layer, getattr(layer, name)))
                    replaced.append((layer, name))
        yield
    finally:
        for layer, name in replaced:
            delattr(layer, name)


def computes_as(layer: Any, kind: type, *methods: str) -> bool:
    """Return whether a layer is of a class, or of a subclass, and has these methods of that class."""
    own = (getattr(type(layer), method, None) is not getattr(kind, method) for method in methods)
    return isinstance(layer, kind) and not any(own) and not vars(layer).keys() & set(methods)
