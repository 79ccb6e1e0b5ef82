"""The catalogue of backends, and the choice between them, without importing any.

A framework takes seconds to import, and Keras has one backend for the life of a process. So this module reads only
package metadata and the environment. What a framework can *do* is a question for its `runtime.py`, not for this list.
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
from ..functions import require_known
from .processor import cores

BACKEND_VARIABLE = "KERAS_BACKEND"
# Each device into which the CPU is split has a copy of the weights and the data.
_MOST_CPU_DEVICES = 8
# How products of float32 matrices, and convolutions, are computed where a device has a faster way: `float32` to the
# full precision, `tf32` with factors of 10 bits. The frameworks differ in their defaults.
MATMUL_VARIABLE = "TRIVIUM_MATMUL_PRECISION"
MATMUL_PRECISIONS = FLOAT32, TF32 = "float32", "tf32"


@dataclass(frozen=True)
class Backend:
    """One framework that Keras can compute with.

    Attributes:
        name: the value of `KERAS_BACKEND`.
        title: the official spelling.
        package: the top-level package to import.
        distributions: the names of its distributions on the package index, the most likely first.
        environment: environment variables that silence its log, unless the user has set them.
        thread_variables: variables, read when it starts, that limit its CPU threads.
        device_variables: variables, read when it starts, with the number of devices into which the CPU is split.
        device_flags: variables with flags, and the flag by which the user may have split the CPU already.
        shards_on_cpu: whether every process splits the CPU, a device for each thread, so that a plan can shard batches.
        cpu_environment: variables, read when it starts, that keep it on the CPU even if there is an accelerator.
        serves_others: whether Keras uses it under every backend, if it is installed: for TensorBoard's logs and for
            pipelines of data.
        needs: further packages that Keras imports under it.
        trains: whether it differentiates; a backend that does not can still predict and evaluate.
        exports: whether it makes artifacts that other runtimes serve.
        writes_source: whether its room writes models as native source code.
        compiles_shapes: whether it compiles a model for each shape of its inputs, for seconds, before it answers.
    """

    name: str
    title: str
    package: str
    distributions: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    thread_variables: tuple[str, ...] = ()
    device_variables: tuple[str, ...] = ()
    device_flags: tuple[tuple[str, str], ...] = ()
    shards_on_cpu: bool = False
    cpu_environment: tuple[tuple[str, str], ...] = ()
    serves_others: bool = False
    needs: tuple[str, ...] = ()
    trains: bool = True
    exports: bool = True
    writes_source: bool = True
    compiles_shapes: bool = False

    def __repr__(self) -> str:
        return f"Backend({self.name!r})"

    @property
    def installed(self) -> bool:
        return all(importlib.util.find_spec(package) is not None for package in (self.package, *self.needs))

    @property
    def version(self) -> str | None:
        """The version of the first installed distribution, or None."""
        for distribution in self.distributions:
            try:
                return metadata.version(distribution)
            except metadata.PackageNotFoundError:
                continue
        return None

    def settings(
        self, threads: int | None = None, device: str | None = None, devices: int | None = None
    ) -> dict[str, str]:
        """Return the environment variables with which a process runs on this backend.

        Args:
            threads: the maximum of CPU threads for one operation.
            device: `cpu` keeps the process on the CPU; by default it uses an accelerator if there is one.
            devices: the number of devices into which the CPU is split, if more than one; by default the user's, else
                one for each thread where the backend shards batches, up to eight.
        """
        # Keras imports some frameworks beside the one that it computes with: TensorFlow, to read an .h5 file.
        imported = [each for each in BACKENDS if each is self or each.serves_others]
        quiet = {name: os.environ.get(name, value) for each in imported for name, value in each.environment}
        limits = dict.fromkeys(self.thread_variables, str(threads)) if threads else {}
        limits |= self._devices(threads, devices)
        return {
            BACKEND_VARIABLE: self.name,
            **quiet,
            **limits,
            **(dict(self.cpu_environment) if device == "cpu" else {}),
        }

    def _devices(self, threads: int | None, devices: int | None) -> dict[str, str]:
        """Return the variables that split the CPU, or none where it stays one device or as the user has set it."""
        if devices and devices > 1:
            return dict.fromkeys(self.device_variables, str(devices))
        if not self.shards_on_cpu or any(flag in os.environ.get(name, "") for name, flag in self.device_flags):
            return {}
        limits = [value for name in self.thread_variables if (value := os.environ.get(name, "")).isdecimal()]
        count = min(threads or min(map(int, limits), default=cores()), _MOST_CPU_DEVICES)
        return {name: str(count) if threads else os.environ.get(name, str(count)) for name in self.device_variables}

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
        serves_others=True,
    ),
    Backend(
        "jax",
        "JAX",
        "jax",
        ("jax",),
        thread_variables=("NPROC",),
        device_variables=("JAX_NUM_CPU_DEVICES",),
        device_flags=(("XLA_FLAGS", "xla_force_host_platform_device_count"),),
        shards_on_cpu=True,
        cpu_environment=(("JAX_PLATFORMS", "cpu"),),
        compiles_shapes=True,
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
    """Return the installed backends, in catalogue order."""
    return [backend for backend in BACKENDS if backend.installed]


def trainers() -> list[Backend]:
    """Return the installed backends that train, in catalogue order."""
    return [backend for backend in installed() if backend.trains]


def find(name: str) -> Backend:
    """Return the backend of that name.

    Raises:
        BackendError: there is no such backend; the message lists the known ones.
    """
    for backend in BACKENDS:
        if backend.name == name:
            return backend
    known = ", ".join(backend.name for backend in BACKENDS)
    raise BackendError(f"unknown backend {name!r}: choose one of {known} (installed: {_names(installed())})")


def require(name: str) -> Backend:
    """Return the backend of that name, if it is installed.

    Raises:
        BackendError: it is unknown or not installed; the message gives the command that installs it.
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
    """Return the backend that this process uses, or will use when Keras is imported.

    In order of priority: the backend under which Keras was imported, `KERAS_BACKEND`, Keras' own configuration file,
    the first installed backend.
    """
    name = imported_by_keras() or os.environ.get(BACKEND_VARIABLE) or _configured()
    return require(name) if name else resolve(())[0]


def use(
    name: str | None = None,
    *,
    threads: int | None = None,
    devices: int | None = None,
    matmul_precision: str | None = None,
) -> Backend:
    """Choose the backend of this process before Keras is imported.

    Args:
        name: a backend's name; by default that of `selected`.
        threads: the maximum of CPU threads for one operation; by default the framework's own choice.
        devices: the number of devices into which the CPU is split if there is no accelerator; by default one.
        matmul_precision: one of `MATMUL_PRECISIONS`; by default that of `TRIVIUM_MATMUL_PRECISION`, else float32.

    Raises:
        BackendError: unknown, not installed, or Keras was already imported under another.
        OptionError: there is no such precision.

    Example:
        >>> trivium.use("torch").title
        'PyTorch'
    """
    if matmul_precision is not None:
        require_known("`matmul_precision`", [matmul_precision], MATMUL_PRECISIONS)
        os.environ[MATMUL_VARIABLE] = matmul_precision
    backend = require(name) if name else selected()
    active = imported_by_keras()
    if active and active != backend.name:
        raise BackendError(
            f"Keras is already imported under {active!r} and keeps it for the life of the process: start Python anew "
            f"(in a notebook: restart the kernel) and call trivium.use({backend.name!r}) before importing keras, "
            f"or set {BACKEND_VARIABLE}={backend.name}"
        )
    os.environ.update(backend.settings(threads, devices=devices))
    return backend


def matmul_precision() -> str:
    """Return the precision of products of matrices in this process, the same for every backend.

    Raises:
        OptionError: the environment names none of `MATMUL_PRECISIONS`.
    """
    name = os.environ.get(MATMUL_VARIABLE) or FLOAT32
    require_known(MATMUL_VARIABLE, [name], MATMUL_PRECISIONS)
    return name


def imported_by_keras() -> str | None:
    """Return the name of the backend that Keras runs on in this process, or None if Keras is not imported."""
    keras = sys.modules.get("keras")
    config = getattr(keras, "config", None)
    return str(config.backend()) if config else None


def _configured() -> str | None:
    """Return the backend in Keras' configuration file, or None.

    Keras itself writes the file, with "tensorflow" in it, when it is first imported. So that entry counts only if
    TensorFlow is installed. Any other entry was written by the user, and always counts.
    """
    home = Path(os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras"))  # an account may have no home
    try:
        name = json.loads((home / "keras.json").read_text()).get("backend")
    except (OSError, ValueError, AttributeError):
        return None
    if name == BACKENDS[0].name and not BACKENDS[0].installed:
        return None
    return str(name) if name else None


def _names(backends: Iterable[Backend]) -> str:
    return ", ".join(backend.name for backend in backends) or "none"
