"""What does a larger batch buy, and what does it cost? Time, accuracy and the gap to held-out data over batch sizes."""

from __future__ import annotations

from collections.abc import Sequence

from ...backends import catalog
from ...errors import OptionError
from .. import epoch_session
from ..cells import CellGroup, TimedCell
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "batch-size"
RECIPE = "dense/one-hidden"
SIZES = tuple(2**power for power in range(3, 12))


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    sizes: Sequence[int] = SIZES,
    data: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs at each batch size, all in the same rounds, and evaluate the models after equally many epochs.

    Args:
        recipe: the name of a recipe.
        backends: names of backends; by default all that are installed.
        sizes: batch sizes; each is compared with the largest.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        options: how long and how precisely to measure, and where.

    Raises:
        OptionError: no sizes, or one below 1.
        RecipeError, BackendError, DataError: a recipe, a backend or data that cannot be used.
    """
    sizes = sorted(set(sizes))
    if not sizes or sizes[0] < 1:
        raise OptionError("`sizes` needs batch sizes of 1 or more, such as 8,64,512")
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = []
    for name in names:
        cells = [
            TimedCell(
                recipe,
                name,
                f"batch {size}",
                sweep_point=(("batch_size", size),),
                settings={"data": data, "batch_size": size},
            )
            for size in sizes
        ]
        groups.append(CellGroup(f"{recipe} on {name}", cells, [(cell, cells[-1]) for cell in cells[:-1]]))
    arguments = {"recipe": recipe, "backends": names, "sizes": sizes, "data": data}
    return compare(
        SUITE, groups, arguments, options or BenchmarkOptions(), final_calls=lambda cell: (epoch_session.quality,)
    )
