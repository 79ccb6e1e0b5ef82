"""A checkpoint: everything that the rest of a training run depends on, between two epochs, in one file.

Weights, states that layers update themselves, the counters of dropout and noise, the framework's own generators, the
optimizer's variables, what the callbacks remember, and the history so far. The order of samples depends on seed and
epoch alone, so the number of finished epochs is its position. Arrays are named by their place and path in the model,
without the numbers that Keras counts up for the whole process: any backend, and any process, puts them back. Nothing in
it is run or unpickled.
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
from ...storage.tensor_file import SUFFIX, Array
from .callback_state import put_back, state_of
from .history import History

if TYPE_CHECKING:
    import keras

SCHEMA = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a run had come to.

    Attributes:
        path: the file.
        epoch: how many epochs were finished.
        stopped: whether a callback had ended the run with that epoch.
        backend: the name of the backend that it was written under.
        history: so far.
        training_seconds, validation_seconds: of each epoch.
        callbacks: what each of them remembers, in the run's order; see `callback_state`.
        written: the names of the files that each checkpoint rule has written and not removed.
        generators: how many random generators of the framework's own there are in it.
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

    def restore(self, model: keras.Model, further: Sequence[keras.Variable] = ()) -> None:
        """Give a compiled model, and its optimizer, every value that they had.

        Args:
            further: variables that are not the model's own, as they were given to `save`.

        Raises:
            CheckpointError: it was written for another model or optimizer.
        """
        with tensor_file.opened(self.path) as read:
            for name, variable in _named_variables(model, further).items():
                value = read(name)
                if value.shape != tuple(variable.shape):
                    raise CheckpointError(
                        f"{self.path} is of another model: {name} has shape {value.shape}, expected {variable.shape}"
                    )
                # Counters have 64 bits on one backend and 32 on another; of more than 32 only the lower half counts.
                variable.assign(value.astype(_dtype(variable)) if value.dtype.kind in "iu" else value)
            if self.backend == catalog.selected().name and self.generators:
                names = map(_generator_name, range(self.generators))
                runtime.current().set_generator_states([read(name) for name in names])

    def restore_callbacks(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Let the callbacks, the same in the same order as in `save`, remember what they did.

        Raises:
            CheckpointError: there are others.
        """
        held, given = [state["class"] for state in self.callbacks], [type(each).__name__ for each in callbacks]
        if held != given:
            raise CheckpointError(
                f"{self.path} was written with the callbacks {', '.join(held) or 'none'}; "
                f"go on with the same, received {', '.join(given) or 'none'}"
            )
        with tensor_file.opened(self.path) as read:
            for number, (callback, state) in enumerate(zip(callbacks, self.callbacks, strict=True)):
                arrays = {
                    name: [read(_array_name(number, name, each)) for each in range(count)]
                    for name, count in state["arrays"].items()
                }
                put_back(callback, state, arrays)


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
    further: Sequence[keras.Variable] = (),
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: ends in `SUFFIX`.
        epoch: how many epochs are finished.
        stopped: whether a callback has ended the run with this epoch.
        seconds: what each epoch's training and validation took.
        further: variables to hold beside the model's and the optimizer's.

    Raises:
        OutputError: it cannot be written; a file that was there is kept.
    """
    arrays = {name: _array(variable) for name, variable in _named_variables(model, further).items()}
    generators = runtime.current().generator_states()
    arrays |= {_generator_name(number): Array.of(state) for number, state in enumerate(generators)}
    states = []
    for number, callback in enumerate(callbacks):
        state, held = state_of(callback)
        for name, values in held.items():
            arrays |= {_array_name(number, name, each): Array.of(value) for each, value in enumerate(values)}
        states.append({**state, "arrays": {name: len(values) for name, values in held.items()}})
    record = {
        "schema": SCHEMA,
        "epoch": epoch,
        "stopped": stopped,
        "backend": catalog.selected().name,
        "history": history.to_json(),
        "seconds": [list(each) for each in seconds],
        "callbacks": states,
        "written": [list(names) for names in written],
        "generators": len(generators),
    }
    tensor_file.write(path, record, arrays)


def load(path: Path) -> Checkpoint:
    """Read a checkpoint and make sure that it is what was written; needs no framework.

    Raises:
        CheckpointError: it is missing, truncated, altered, something else or of another schema.
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
        raise CheckpointError(f"{path} is no checkpoint of trivium's ({error!r})") from error


def _numbers(values: list[float]) -> list[float]:
    return [float(value) for value in values]


def _file_name(name: str) -> str:
    """A name without a path: what is no longer kept is deleted by it."""
    if not isinstance(name, str) or Path(name).name != name or name == "..":
        raise ValueError(f"{name!r} is not the name of a file in its folder")
    return name


def newest(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """The checkpoint in a folder with the most epochs that proves to be whole.

    Returns:
        It, or None; and of each that was passed over why.
    """
    passed_over: list[str] = []
    paths = [path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith(".")]
    for path in sorted(paths, key=lambda path: (_stated_epoch(path), path.name), reverse=True):
        try:
            return load(path), passed_over
        except CheckpointError as error:
            passed_over.append(str(error))
    return None, passed_over


def _stated_epoch(path: Path) -> int:
    """How many epochs the file says that it is of, which is not proved; of what says nothing, the most."""
    try:
        return int(tensor_file.read_record(path, prove=False)["epoch"])
    except (CheckpointError, KeyError, TypeError, ValueError):
        return 2**63


def _named_variables(model: keras.Model, further: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Every variable with its name in the file; the optimizer's are made if it has none yet."""
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    # What stateful layers remember begins anew with each epoch, and only some backends count it to the model.
    passing = {id(state) for layer in runtime.stateful_layers(model) for state in layer.states or ()}
    groups = {"model": model.variables, "optimizer": model.optimizer.variables, "further": further}
    named: dict[str, keras.Variable] = {}
    for group, variables in groups.items():
        kept = [variable for variable in variables if id(variable) not in passing]
        named |= {f"{group}/{number:04d}/{_without_numbers(each.path)}": each for number, each in enumerate(kept)}
    return named


def _without_numbers(path: str) -> str:
    """A variable's path without what Keras counts for the whole process: `sequential_3/dense_7/kernel`."""
    return re.sub(r"_\d+", "", path)


def _dtype(variable: keras.Variable) -> str:
    import keras

    return str(keras.backend.standardize_dtype(variable.dtype))


def _array(variable: keras.Variable) -> Array:
    import keras

    dtype = _dtype(variable)
    # The library reads no bfloat16 into NumPy; as float32 nothing of it is lost.
    dtype = "float32" if dtype == "bfloat16" else dtype
    return Array(tuple(variable.shape), dtype, lambda: keras.ops.convert_to_numpy(variable))


def _array_name(callback: int, attribute: str, number: int) -> str:
    return f"callbacks/{callback}/{attribute}/{number:04d}"


def _generator_name(number: int) -> str:
    return f"generators/{number:04d}"
