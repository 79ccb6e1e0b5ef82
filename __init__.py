"""trivium: a model defined once in Keras 3; measured, proved the same and ported between TensorFlow, JAX and PyTorch.

Importing this package imports no framework: Keras chooses its backend once, when it is first imported, and that choice
must stay open until `trivium.use`, `KERAS_BACKEND` or a command has made it. So the public names load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backends.catalog import use as use
    from .engine import plots as plots
    from .engine.bundle import Bundle as Bundle
    from .engine.bundle import load as load
    from .engine.dataset import Dataset as Dataset
    from .engine.estimators import Classifier as Classifier
    from .engine.estimators import Regressor as Regressor
    from .engine.evaluation import evaluate as evaluate
    from .engine.evaluation import predict as predict
    from .engine.history import History as History
    from .engine.inspecting import inspect as inspect
    from .engine.porting import port as port
    from .engine.porting import port_from_torch as port_from_torch
    from .engine.preprocessing import Preprocessing as Preprocessing
    from .engine.run import Run as Run
    from .engine.search import cross_val_score as cross_val_score
    from .engine.search import search as search
    from .engine.training import Trainer as Trainer
    from .engine.training import train as train
    from .engine.verification import verify as verify
    from .errors import TriviumError as TriviumError
    from .models.recipe import Recipe as Recipe
    from .models.recipe import recipe as recipe
    from .models.recipe import step as step

__version__ = "0.1.0"

_HOMES = {
    "Bundle": ".engine.bundle",
    "Classifier": ".engine.estimators",
    "Dataset": ".engine.dataset",
    "History": ".engine.history",
    "Preprocessing": ".engine.preprocessing",
    "Recipe": ".models.recipe",
    "Regressor": ".engine.estimators",
    "Run": ".engine.run",
    "Trainer": ".engine.training",
    "TriviumError": ".errors",
    "cross_val_score": ".engine.search",
    "evaluate": ".engine.evaluation",
    "inspect": ".engine.inspecting",
    "load": ".engine.bundle",
    "port": ".engine.porting",
    "port_from_torch": ".engine.porting",
    "predict": ".engine.evaluation",
    "recipe": ".models.recipe",
    "search": ".engine.search",
    "step": ".models.recipe",
    "train": ".engine.training",
    "use": ".backends.catalog",
    "verify": ".engine.verification",
}
_MODULES = {"plots": ".engine.plots"}

__all__ = ["__version__", *sorted([*_HOMES, *_MODULES])]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name], __name__)
    if name in _HOMES:
        return getattr(import_module(_HOMES[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
