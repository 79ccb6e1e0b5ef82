"""What does a larger batch buy, and what does it cost? Time, accuracy and the gap to held-out data over batch sizes."""

from __future__ import annotations

from collections.abc import Sequence

from ...backends import catalog
from ...errors import OptionError
from ..cells import Cell, Group
from ..results import Results
from ..suite import Effort, compare

SUITE = "batch-size"
RECIPE = "dense/one-hidden"
SIZES = tuple(2**power for power in range(3, 12))


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    sizes: Sequence[int] = SIZES,
    data: str | None = None,
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs at each batch size, all in the same rounds, and judge the models after as many epochs.

    Args:
        recipe: a name.
        backends: names; all that are installed by default.
        sizes: samples in a step; each is compared with the largest.
        data: a dataset's name; the recipe's own by default, of MNIST the sample.
        effort: how much is measured.

    Raises:
        OptionError: no sizes, or one below 1.
        RecipeError, BackendError, DataError: what cannot be.
    """
    sizes = sorted(set(sizes))
    if not sizes or sizes[0] < 1:
        raise OptionError("--sizes needs batch sizes of 1 or more, such as 8,64,512")
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = []
    for name in names:
        cells = [
            Cell(recipe, name, f"batch {size}", at=(("batch_size", size),), settings={"data": data, "batch_size": size})
            for size in sizes
        ]
        groups.append(Group(f"{recipe} on {name}", cells, [(cell, cells[-1]) for cell in cells[:-1]]))
    asked = {"recipe": recipe, "backends": names, "sizes": sizes, "data": data}
    return compare(SUITE, groups, asked, effort or Effort(), afterwards=lambda cell: ("quality",))
