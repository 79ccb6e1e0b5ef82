"""A checkpoint: the complete state of a training run between two epochs, in one file.

It holds the weights, the states that layers update themselves, the counters of dropout and noise, the states of the
framework's own generators, the optimizer's variables, the states of the callbacks, and the history. The order of
samples depends on seed and epoch alone, so the number of finished epochs is its position. Arrays are named by their
index and path in the model, without the numbers that Keras counts for the whole process, so any backend and any process
can restore them. Nothing in the file is executed or unpickled.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...errors import CheckpointError
from ...storage import tensor_file
from ...storage.tensor_file import SUFFIX, LazyArray
from .callback_state import get_state, set_state
from .file_names import files_below, is_below
from .history import History

if TYPE_CHECKING:
    import keras

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after an epoch.

    Attributes:
        path: the file.
        epoch: how many epochs were finished.
        stopped: whether a callback ended the run with that epoch.
        backend: the name of the backend that wrote the file.
        history: of the finished epochs.
        training_seconds, validation_seconds: of each finished epoch.
        callbacks: the state of each callback, in the run's order; see `callback_state`.
        written: for each checkpoint rule, the names of the files that it has written and not removed.
        generators: how many generator states of the framework the file holds.
    """

    path: Path
    epoch: int
    stopped: bool
    backend: str
    history: History
    training_seconds: list[float]
    validation_seconds: list[float]
    callbacks: list[dict[str, Any]] = field(default_factory=list)
    written: list[list[str]] = field(default_factory=list)
    generators: int = 0

    def restore(self, model: keras.Model, rng_variables: Sequence[keras.Variable] = ()) -> None:
        """Restore every variable of a compiled model and its optimizer.

        Args:
            rng_variables: variables of random generators, the same as in `save`.

        Raises:
            CheckpointError: the checkpoint is of another model or optimizer.
        """
        with tensor_file.open_arrays(self.path) as read:
            for name, variable in _named_variables(model, rng_variables).items():
                value = read(name)
                if value.shape != tuple(variable.shape):
                    raise CheckpointError(
                        f"{self.path} is of another model: {name} has shape {value.shape}, expected {variable.shape}"
                    )
                # Counters have 64 bits on one backend and 32 on another. Only the lower 32 bits count.
                variable.assign(value.astype(_dtype(variable)) if value.dtype.kind in "iu" else value)
            if self.backend == catalog.selected().name and self.generators:
                names = map(_generator_name, range(self.generators))
                runtime.current().set_generator_states([read(name) for name in names])

    def restore_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Restore the state of the callbacks, which must be the same, in the same order, as in `save`.

        Raises:
            CheckpointError: they are others.
        """
        expected, received = (
            [state["class"] for state in self.callbacks],
            [type(callback).__name__ for callback in callbacks],
        )
        if expected != received:
            raise CheckpointError(
                f"{self.path} was written with the callbacks {', '.join(expected) or 'none'}; "
                f"go on with the same, received {', '.join(received) or 'none'}"
            )
        with tensor_file.open_arrays(self.path) as read:
            for number, (callback, state) in enumerate(zip(callbacks, self.callbacks, strict=True)):
                arrays = {
                    name: [read(_array_name(number, name, index)) for index in range(count)]
                    for name, count in state["arrays"].items()
                }
                set_state(callback, state, arrays)


def save(
    path: Path,
    model: keras.Model,
    epoch: int,
    history: History,
    *,
    stopped: bool = False,
    seconds: tuple[Sequence[float], Sequence[float]] = ((), ()),
    callbacks: Sequence[keras.callbacks.Callback] = (),
    written: Sequence[Sequence[str]] = (),
    rng_variables: Sequence[keras.Variable] = (),
) -> None:
    """Write a checkpoint atomically.

    Args:
        path: ends in `SUFFIX`.
        epoch: how many epochs are finished.
        stopped: whether a callback has ended the run with this epoch.
        seconds: the training and the validation seconds of each epoch.
        callbacks: whose state to save.
        written: see `Checkpoint`.
        rng_variables: variables of random generators, to save beside those of the model and the optimizer.

    Raises:
        OutputError: the file cannot be written; an existing file is kept.
    """
    arrays = {name: _array(variable) for name, variable in _named_variables(model, rng_variables).items()}
    generators = runtime.current().generator_states()
    arrays |= {_generator_name(number): LazyArray.of(state) for number, state in enumerate(generators)}
    states = []
    for number, callback in enumerate(callbacks):
        state, arrays_by_attribute = get_state(callback)
        for name, values in arrays_by_attribute.items():
            arrays |= {_array_name(number, name, index): LazyArray.of(value) for index, value in enumerate(values)}
        states.append({**state, "arrays": {name: len(values) for name, values in arrays_by_attribute.items()}})
    record = {
        "schema": SCHEMA,
        "epoch": epoch,
        "stopped": stopped,
        "backend": catalog.selected().name,
        "history": history.to_json(),
        "seconds": [list(values) for values in seconds],
        "callbacks": states,
        "written": [list(names) for names in written],
        "generators": len(generators),
    }
    tensor_file.write(path, record, arrays)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and verify its checksum; needs no framework.

    Raises:
        CheckpointError: the file is missing, truncated, altered, no checkpoint, or of another schema.
    """
    record = tensor_file.read_record(path)
    try:
        if record["schema"] != SCHEMA:
            raise CheckpointError(f"{path} has checkpoint schema {record['schema']}, this trivium reads {SCHEMA}")
        training, validation = record["seconds"]
        return Checkpoint(
            path,
            int(record["epoch"]),
            bool(record["stopped"]),
            str(record["backend"]),
            History.from_json(record["history"]),
            _numbers(training),
            _numbers(validation),
            [{**state, "class": str(state["class"]), "arrays": dict(state["arrays"])} for state in record["callbacks"]],
            [[_file_name(name) for name in names] for names in record["written"]],
            int(record["generators"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(f"{path} is no checkpoint of trivium ({error!r})") from error


def _numbers(values: list[float]) -> list[float]:
    return [float(value) for value in values]


def _file_name(name: str) -> str:
    """Check that the name of a file stays below its folder: surplus checkpoints are deleted by these names."""
    if not isinstance(name, str) or not is_below(name):
        raise ValueError(f"{name!r} is not the name of a file in its folder")
    return name


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Return the intact checkpoint in a folder, or below it, with the most epochs.

    Returns:
        The checkpoint or None, and an error message for each newer file that was skipped.
    """
    skipped: list[str] = []
    paths = [path for path in files_below(folder) if path.suffix == SUFFIX and not path.name.startswith(".")]
    for path in sorted(paths, key=lambda path: (_stated_epoch(path), path.name), reverse=True):
        try:
            return load(path), skipped
        except CheckpointError as error:
            skipped.append(str(error))
    return None, skipped


def _stated_epoch(path: Path) -> int:
    """Return the epoch that the file states, without verifying it; a file that states none sorts first."""
    try:
        return int(tensor_file.read_record(path, verify=False)["epoch"])
    except (CheckpointError, KeyError, TypeError, ValueError):
        return 2**63


def _named_variables(model: keras.Model, rng_variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Return every variable by its name in the file; the optimizer is built if it is not yet."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    # The states of stateful layers are reset with each epoch, and only some backends list them as model variables.
    transient = {id(state) for layer in runtime.stateful_layers(model) for state in layer.states or ()}
    groups = {"model": model.variables, "optimizer": model.optimizer.variables, "further": rng_variables}
    named: dict[str, keras.Variable] = {}
    for group, variables in groups.items():
        persistent = [variable for variable in variables if id(variable) not in transient]
        for number, variable in enumerate(persistent):
            named[f"{group}/{number:04d}/{_without_numbers(variable.path)}"] = variable
    return named


def _without_numbers(path: str) -> str:
    """Return a path without process-wide counters: `sequential/dense/kernel` for `sequential_3/dense_7/kernel`."""
    return re.sub(r"_\d+", "", path)


def _dtype(variable: keras.Variable) -> str:
    import keras

    return str(keras.backend.standardize_dtype(variable.dtype))


def _array(variable: keras.Variable) -> LazyArray:
    import keras

    dtype = _dtype(variable)
    # NumPy has no bfloat16; float32 holds it exactly.
    dtype = "float32" if dtype == "bfloat16" else dtype
    return LazyArray(tuple(variable.shape), dtype, lambda: keras.ops.convert_to_numpy(variable))


def _array_name(callback: int, attribute: str, number: int) -> str:
    return f"callbacks/{callback}/{attribute}/{number:04d}"


def _generator_name(number: int) -> str:
    return f"generators/{number:04d}"
