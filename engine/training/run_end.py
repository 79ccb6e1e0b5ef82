"""The end of a run loses no trained model.

What can be known to fail then is refused before the first epoch. What still fails becomes a warning, and the model is
kept.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ...backends import keras_internals
from ...backends.epochs import has_written_losses
from ...data.dataset import Split
from ...data.nests import head
from ...errors import ModelError, first_line
from ..keras_model.inference import outputs_of
from ..prediction.evaluation import evaluate_model
from .compilation import fresh_metrics
from .hold_out import HoldOut
from .training_part import predict_training_part

if TYPE_CHECKING:
    import keras

    from ..runs.run import Run


def finish(run: Run, held_out: HoldOut) -> list[str]:
    """Evaluate a finished run on its test split, and keep of its model what others can use; return warnings.

    Of a series the part that was trained on is evaluated too.
    """
    warnings = evaluate_test_split(run) + evaluate_training_part(run, held_out)
    _keep_answers(run)
    return warnings


def _keep_answers(run: Run) -> None:
    """Keep as the run's model the network that answers, where written losses have trained it, and the others beside it.

    It is a model of Keras' own, compiled with the metrics of the run: nobody needs the losses to use it.
    """
    model = run.model
    if not has_written_losses(model):
        return
    run.networks = {name: network for name, network in model.networks.items() if network is not model.answers}
    run.model = model.answers
    run.model.compile(metrics=fresh_metrics(keras_internals.compile_arguments(model)["metrics"]))
    run.model.optimizer.build(run.model.trainable_variables)  # Keras warns where it loads one that is not


def require_saveable(model: keras.Model, training: Split, name: str) -> None:
    """Raise a ModelError unless a bundle of the model can be made.

    Keras writes the configurations of all parts into a model's file. The bundle also has outputs for some samples,
    which are computed in a batch of another size than that of the training: a user's layers may not take it.

    Args:
        model: compiled.
        training: prepared, in the nests of the model.
        name: of the recipe, for messages.
    """
    import keras

    networks = model.networks.values() if has_written_losses(model) else [model]
    try:
        with keras_internals.serialization():
            for network in networks:
                json.dumps(keras.saving.serialize_keras_object(network))
    except Exception as error:  # of a part's `get_config`, or of JSON
        raise ModelError(
            f"{name}: Keras cannot save the model: {_reason(error)}; give the part a get_config that returns the "
            "arguments of its constructor, or use a function or a class of Keras"
        ) from error
    is_plain = getattr(model, "steps_per_execution", 1) == 1  # which not every backend has
    if is_plain and all(_is_of_any_batch(layer) for layer in keras_internals.all_layers(model)):
        return
    try:
        outputs_of(model, head(training.x, 1))
    except Exception as error:
        raise ModelError(
            f"{name}: the trained model could not compute a batch of any size outside of the training: {_reason(error)}"
        ) from error


def _is_of_any_batch(layer: keras.Layer) -> bool:
    import keras

    return keras_internals.is_keras_own(type(layer)) and not isinstance(layer, keras.layers.Lambda)


def evaluate_test_split(run: Run) -> list[str]:
    """Evaluate a finished run on its test split; return the sentence that says why not, if that failed."""
    data = run.dataset
    if not data.test:
        return []
    settings = (data.series, data.labels, run.settings.get("threshold"))
    try:
        run.evaluation = evaluate_model(run.model, run.preprocessing, data.test, *settings)
    except KeyboardInterrupt:
        return ["The model was not evaluated on the test split: that was stopped by Ctrl-C."]
    except Exception as error:  # of the model on unusual data, of a metric, or for want of memory
        return [f"The model was not evaluated on the test split: {_reason(error)}."]
    return []


def evaluate_training_part(run: Run, held_out: HoldOut) -> list[str]:
    """Evaluate a finished run on the training part of a series; return the sentence that says why not, if it failed."""
    try:
        part = predict_training_part(run, held_out)
    except KeyboardInterrupt:
        return ["The model was not evaluated on the training part: that was stopped by Ctrl-C."]
    except Exception as error:  # of the model, or for want of memory
        return [f"The model was not evaluated on the training part: {_reason(error)}."]
    if part:
        run.training_part, run.training_evaluation = part, part.errors
        if part.amount:
            run.notes.append(f"The RMS error of the training part is that of its {part.amount}.")
    return []


def _reason(error: Exception) -> str:
    """Return an error of a framework in one line, without the marks that trivium puts around its options."""
    return f"{type(error).__name__}: {first_line(error)}".replace("`", "'").rstrip(".")
