"""`trivium.draw_model`: a picture of a model, of a recipe, or of what a file holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import runtime
from ..errors import ModelError
from ..models.recipe import Recipe
from .bundles import bundle as bundles
from .bundles import keras_files
from .bundles.architecture_file import is_architecture
from .bundles.bundle import Bundle
from .bundles.named_recipe import recipe_of
from .keras_model import summary
from .plots.model_picture import model_picture
from .plots.style import require_plot_file

if TYPE_CHECKING:
    import keras


def draw_model(
    source: keras.Model | Bundle | Recipe | str | Path | Callable[..., Any],
    path: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
    title: str | None = None,
) -> None:
    """Draw a model: a box for each layer with its kind, settings and shapes, arrows for its connections.

    Args:
        source: a Keras model; a bundle, its file or its run folder, or a `.keras` or `.h5` file, an architecture in
            `.json` or `.yaml`; or a recipe, its name, or a function that builds a model.
        path: of the picture: .png, .svg, .pdf or another ending of figures.
        options: of the recipe, such as `{"units": 64}`.
        title: above the picture; by default the name of the model and the number of its parameters.

    Raises:
        FileError, BundleError: a file cannot be read, or would run code.
        RecipeError: there is no such recipe, or it has no such options.
        ModelError: the model is not built: nobody knows its shapes.
        OutputError: the picture cannot be written.

    Example:
        >>> trivium.draw_model("cnn/pooling", "model.svg", options={"dropout": 0.5})
    """
    require_plot_file(Path(path))
    runtime.current()
    name, rows = _rows_of(source, dict(options or {}))
    parameters = sum(row["parameters"] for row in rows)
    model_picture(rows, Path(path), title=f"{name}: {parameters:,} parameters" if title is None else title)


def _rows_of(source: Any, options: dict[str, Any]) -> tuple[str, list[summary.Row]]:
    """Return the name of a model and its rows."""
    if isinstance(source, (str, Path)) and Path(source).exists() and not is_architecture(source):
        return str(source), summary.rows(_load(Path(source)))
    if isinstance(source, Bundle):
        return str(source.run["recipe"]), summary.rows(source.model)
    recipe = recipe_of(str(source) if isinstance(source, Path) else source)
    return recipe.name, summary.layers(recipe, options)


def _load(path: Path) -> keras.Model:
    is_bundle = path.is_dir() or not keras_files.is_model(path)
    model = bundles.load(path).model if is_bundle else keras_files.load_model(path)
    if not model.built:
        raise ModelError(f"{path}: the model does not say what it takes, so its shapes are unknown")
    return model
