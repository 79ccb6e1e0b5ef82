"""The backends as data, and the choice between them, made without importing any.

A framework costs seconds to import and Keras takes one backend for the life of a process, so everything here reads
package metadata and the environment only. What a framework can *do* is asked of its room (`runtime.py`), not of this
list.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ..errors import BackendError

SWITCH = "KERAS_BACKEND"


@dataclass(frozen=True)
class Backend:
    """One framework that Keras can compute with.

    Attributes:
        name: the word that `KERAS_BACKEND` takes.
        title: the name as its makers write it.
        package: the top-level package that is imported.
        distributions: the names under which it is published, the likeliest first.
        environment: variables that keep it quiet; set unless the user has set them.
        thread_variables: variables read at its start that bound its CPU threads.
        device_variables: variables read at its start that say how many devices its CPU counts for.
        cpu_environment: variables read at its start that keep it on the CPU where there is an accelerator too.
        always_imported: whether Keras imports it, where it is installed, under every other backend too.
        needs: further packages that Keras imports under it.
        trains: whether it differentiates; a backend that does not can still predict and evaluate.
        exports: whether it makes artifacts that other runtimes serve.
        writes_source: whether its room writes models as native source code.
    """

    name: str
    title: str
    package: str
    distributions: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    thread_variables: tuple[str, ...] = ()
    device_variables: tuple[str, ...] = ()
    cpu_environment: tuple[tuple[str, str], ...] = ()
    always_imported: bool = False
    needs: tuple[str, ...] = ()
    trains: bool = True
    exports: bool = True
    writes_source: bool = True

    @property
    def installed(self) -> bool:
        return all(importlib.util.find_spec(package) is not None for package in (self.package, *self.needs))

    @property
    def version(self) -> str | None:
        """The version of the first distribution found, or None."""
        for distribution in self.distributions:
            try:
                return metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
        return None

    def settings(
        self, threads: int | None = None, device: str | None = None, devices: int | None = None
    ) -> dict[str, str]:
        """The environment variables under which a process runs on this backend.

        Args:
            threads: at most this many CPU threads for one operation.
            device: `cpu` keeps it on the CPU; otherwise it takes an accelerator where it finds one.
            devices: how many devices the CPU counts for, where they are several.
        """
        quiet = {variable: os.environ.get(variable, value) for variable, value in self.environment}
        limits = dict.fromkeys(self.thread_variables, str(threads)) if threads else {}
        limits |= dict.fromkeys(self.device_variables, str(devices)) if devices and devices > 1 else {}
        return {SWITCH: self.name, **quiet, **limits, **(dict(self.cpu_environment) if device == "cpu" else {})}

    @property
    def install_hint(self) -> str:
        return f"pip install 'trivium[{self.name}]'"


BACKENDS = (
    Backend(
        "tensorflow",
        "TensorFlow",
        "tensorflow",
        ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tf-nightly"),
        environment=(("TF_CPP_MIN_LOG_LEVEL", "3"),),
        thread_variables=("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
        device_variables=("TRIVIUM_CPU_DEVICES",),
        cpu_environment=(("CUDA_VISIBLE_DEVICES", "-1"),),
        always_imported=True,
    ),
    Backend(
        "jax",
        "JAX",
        "jax",
        ("jax",),
        thread_variables=("NPROC",),
        device_variables=("JAX_NUM_CPU_DEVICES",),
        cpu_environment=(("JAX_PLATFORMS", "cpu"),),
    ),
    Backend(
        "torch",
        "PyTorch",
        "torch",
        ("torch",),
        thread_variables=("OMP_NUM_THREADS", "MKL_NUM_THREADS"),
        cpu_environment=(("CUDA_VISIBLE_DEVICES", "-1"),),
    ),
    Backend(
        "numpy",
        "NumPy",
        "numpy",
        ("numpy",),
        thread_variables=("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
        # Keras' NumPy backend convolves by JAX: keras/src/backend/numpy/nn.py.
        needs=("jax",),
        trains=False,
        exports=False,
        writes_source=False,
    ),
)


def installed() -> list[Backend]:
    """The backends that can be used here, in catalogue order."""
    return [backend for backend in BACKENDS if backend.installed]


def trainers() -> list[Backend]:
    """Return the installed backends that train, in catalogue order."""
    return [backend for backend in installed() if backend.trains]


def find(name: str) -> Backend:
    """The backend of that name.

    Raises:
        BackendError: no backend is called so; the message lists those that are.
    """
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    known = ", ".join(backend.name for backend in BACKENDS)
    raise BackendError(f"unknown backend {name!r}: choose one of {known} (installed: {_names(installed())})")


def require(name: str) -> Backend:
    """The backend of that name, installed.

    Raises:
        BackendError: unknown, or not installed; the message gives the line that installs it.
    """
    backend = find(name)
    if not backend.installed:
        raise BackendError(
            f"backend {name!r} is not installed (installed: {_names(installed())}); run: {backend.install_hint}"
        )
    return backend


def require_trainer(name: str | None = None) -> Backend:
    """Return a backend that trains, by default the one that this process uses.

    Raises:
        BackendError: unknown, not installed, or it does not train.
    """
    backend = require(name) if name else selected()
    if not backend.trains:
        able = _names(candidate for candidate in BACKENDS if candidate.trains)
        raise BackendError(
            f"backend {backend.name!r} predicts and evaluates but does not train: choose one of {able} "
            f"(installed: {_names(trainers())})"
        )
    return backend


def resolve(names: Iterable[str], *, trains: bool = True) -> list[Backend]:
    """Return the named backends, or all installed ones that train when no name is given.

    Args:
        names: of backends.
        trains: whether each named one must train.

    Raises:
        BackendError: one is unknown, not installed, or does not train where it must; or none is installed.
    """
    chosen = [require_trainer(name) if trains else require(name) for name in names] or trainers()
    if not chosen:
        raise BackendError(f"no backend is installed; run: {BACKENDS[0].install_hint} (or jax, or torch)")
    return chosen


def selected() -> Backend:
    """The backend that this process uses, or will use when Keras is imported.

    In order: what Keras was already imported under, `KERAS_BACKEND`, Keras' own configuration file, the first
        installed.
    """
    name = imported_by_keras() or os.environ.get(SWITCH) or _configured()
    return require(name) if name else resolve(())[0]


def use(name: str | None = None, *, threads: int | None = None, devices: int | None = None) -> Backend:
    """Choose the backend of this process before Keras is imported.

    Args:
        name: a backend's name; without one the order of `selected` holds.
        threads: at most this many CPU threads for one operation; without it the framework's own choice.
        devices: how many devices the CPU counts for, where there is no accelerator; without it one.

    Raises:
        BackendError: unknown, not installed, or Keras was already imported under another.
    """
    backend = require(name) if name else selected()
    active = imported_by_keras()
    if active and active != backend.name:
        raise BackendError(
            f"Keras is already imported under {active!r} and keeps it for the life of the process: "
            f"call trivium.use({backend.name!r}) before importing keras, or set {SWITCH}={backend.name}"
        )
    os.environ.update(backend.settings(threads, devices=devices))
    return backend


def imported_by_keras() -> str | None:
    """The backend that Keras runs on in this process, or None while Keras is not imported."""
    keras = sys.modules.get("keras")
    config = getattr(keras, "config", None)
    return str(config.backend()) if config else None


def _configured() -> str | None:
    """The backend in Keras' configuration file, where that file says something.

    Keras writes the file by itself, with "tensorflow" in it, the first time it is imported anywhere; so that entry
    counts only where TensorFlow is installed, while any other was written by a person and is taken at its word.
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        name = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    if name == BACKENDS[0].name and not BACKENDS[0].installed:
        return None
    return str(name) if name else None


def _names(backends: Iterable[Backend]) -> str:
    return ", ".join(backend.name for backend in backends) or "none"
