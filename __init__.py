"""trivium: define a model once in Keras 3; measure, verify and port it between TensorFlow, JAX and PyTorch.

Importing this package imports no framework. Keras chooses its backend once, at its first import, and the choice must
stay open until `trivium.use`, `KERAS_BACKEND` or a command makes it. So the public names are loaded on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.catalog import use as use
    from .backends.written_losses.model import with_losses as with_losses
    from .comparison.compare import compare as compare
    from .comparison.transfer import transfer as transfer
    from .data.data_source import load_data as load_data
    from .data.dataset import Dataset as Dataset
    from .data.dataset import Split as Split
    from .data.preprocessing.pipeline import Preprocessing as Preprocessing
    from .engine.bundles.bundle import Bundle as Bundle
    from .engine.inspection import inspect as inspect
    from .engine.model_drawing import draw_model as draw_model
    from .engine.plots import plots as plots
    from .engine.runs.history import History as History
    from .engine.runs.run import Run as Run
    from .engine.search.estimators import Classifier as Classifier
    from .engine.search.estimators import Regressor as Regressor
    from .engine.search.search import cross_val_score as cross_val_score
    from .engine.search.search import search as search
    from .engine.trained_models import evaluate as evaluate
    from .engine.trained_models import load as load
    from .engine.trained_models import predict as predict
    from .engine.training.train import train as train
    from .engine.training.trainer import Trainer as Trainer
    from .engine.verification.verification import verify as verify
    from .errors import TriviumError as TriviumError
    from .models.recipe import Recipe as Recipe
    from .models.recipe import recipe as recipe
    from .models.recipe import step as step
    from .porting.converters import converter as converter
    from .porting.port import port as port
    from .porting.port import port_from_jax as port_from_jax
    from .porting.port import port_from_torch as port_from_torch

__version__ = "0.2.0"

_HOMES = {
    "Bundle": ".engine.bundles.bundle",
    "Classifier": ".engine.search.estimators",
    "Dataset": ".data.dataset",
    "History": ".engine.runs.history",
    "Preprocessing": ".data.preprocessing.pipeline",
    "Recipe": ".models.recipe",
    "Regressor": ".engine.search.estimators",
    "Run": ".engine.runs.run",
    "Split": ".data.dataset",
    "Trainer": ".engine.training.trainer",
    "TriviumError": ".errors",
    "compare": ".comparison.compare",
    "converter": ".porting.converters",
    "cross_val_score": ".engine.search.search",
    "draw_model": ".engine.model_drawing",
    "evaluate": ".engine.trained_models",
    "inspect": ".engine.inspection",
    "load": ".engine.trained_models",
    "load_data": ".data.data_source",
    "port": ".porting.port",
    "port_from_jax": ".porting.port",
    "port_from_torch": ".porting.port",
    "predict": ".engine.trained_models",
    "recipe": ".models.recipe",
    "search": ".engine.search.search",
    "step": ".models.recipe",
    "train": ".engine.training.train",
    "transfer": ".comparison.transfer",
    "use": ".backends.catalog",
    "verify": ".engine.verification.verification",
    "with_losses": ".backends.written_losses.model",
}
_MODULES = {"plots": ".engine.plots.plots"}

__all__ = ["__version__", *sorted([*_HOMES, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name], __name__)
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
