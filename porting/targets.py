"""The targets of a port as data: the backends that can write each, the runtime that runs it, and the packages needed.

Which backend can host which of Keras' exports was measured on every recipe (docs/porting.md). A format lists only the
backends that passed. No framework is imported here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ..backends import catalog
from ..backends.artifacts import Artifact
from ..backends.catalog import Backend
from ..errors import PortError
from ..functions import suggest
from . import artifact_runtimes, metadata

# The prefix of the targets for native source; the framework follows.
SOURCE = "source:"
# The target for networks of other frameworks.
KERAS = "keras"


@dataclass(frozen=True)
class Package:
    """A package: the name of its module, and the name of its distribution on PyPI."""

    module: str
    distribution: str

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


@dataclass(frozen=True)
class Host:
    """A backend on which Keras can write a format.

    Attributes:
        backend: the backend's name.
        packages: packages that the export needs beside the framework.
        unroll: whether recurrent layers over a known length must be unrolled, and others loop without lists of
            tensors; this changes no results.
    """

    backend: str
    packages: tuple[Package, ...] = ()
    unroll: bool = False

    @property
    def installed(self) -> bool:
        return catalog.find(self.backend).installed and all(package.installed for package in self.packages)


@dataclass(frozen=True)
class Format:
    """A file, or a folder of files, that a runtime other than Keras serves.

    Attributes:
        name: the name that `--to` takes.
        title: the format's own name.
        keras_name: its name for `keras.Model.export`.
        file: the name of the artifact within its folder; empty if the folder is the artifact.
        hosts: the backends that can write it, in the order in which they are tried.
        runtime: the name of the runtime that verifies it.
        packages: the packages of that runtime.
        reader: the function that opens it (see `artifact_runtimes.py`).
        write_metadata: the function that writes the description into the artifact; None if the format holds none.
        extra: the extra of trivium that installs the packages.
        takes_words: whether a model of a table takes its columns one by one, with words as text.
        opset: the function that returns the version of the operators in an artifact; None if the format has none.
    """

    name: str
    title: str
    keras_name: str
    file: str
    hosts: tuple[Host, ...]
    runtime: str
    packages: tuple[Package, ...]
    reader: Callable[..., Artifact]
    write_metadata: Callable[[Path, str], None] | None
    extra: str
    takes_words: bool = False
    opset: Callable[[Path], int] | None = None


_TENSORFLOW, _TORCH = Package("tensorflow", "tensorflow"), Package("torch", "torch")
_ONNX, _ONNXSCRIPT = Package("onnx", "onnx"), Package("onnxscript", "onnxscript")
_TF2ONNX, _ONNXRUNTIME = Package("tf2onnx", "tf2onnx"), Package("onnxruntime", "onnxruntime")
_OPENVINO, _LITERT = Package("openvino", "openvino"), Package("ai_edge_litert", "ai-edge-litert")

FORMATS = (
    Format(
        "savedmodel",
        "SavedModel",
        "tf_saved_model",
        "",
        (Host("tensorflow"), Host("jax", (_TENSORFLOW,))),
        "TensorFlow",
        (_TENSORFLOW,),
        artifact_runtimes.read_savedmodel,
        None,
        "tensorflow",
    ),
    Format(
        "onnx",
        "ONNX",
        "onnx",
        "model.onnx",
        (Host("torch", (_ONNX, _ONNXSCRIPT)), Host("tensorflow", (_ONNX, _TF2ONNX))),
        "ONNX Runtime",
        (_ONNXRUNTIME,),
        artifact_runtimes.read_onnx,
        metadata.write_onnx_metadata,
        "onnx",
        takes_words=True,
        opset=metadata.onnx_opset,
    ),
    Format(
        "openvino",
        "OpenVINO",
        "openvino",
        "model.xml",
        (Host("torch", (_OPENVINO,)), Host("tensorflow", (_OPENVINO,), unroll=True)),
        "OpenVINO",
        (_OPENVINO,),
        artifact_runtimes.read_openvino,
        metadata.write_openvino_metadata,
        "openvino",
    ),
    Format(
        "litert",
        "LiteRT",
        "litert",
        "model.tflite",
        # Keras' loop over a sequence would become operations that the interpreter does not have.
        (Host("tensorflow", unroll=True),),
        "the LiteRT interpreter",
        (_LITERT,),
        artifact_runtimes.read_litert,
        metadata.write_litert_metadata,
        "litert",
    ),
    Format(
        "torch-export",
        "torch.export",
        "torch",
        "model.pt2",
        (Host("torch"),),
        "PyTorch",
        (_TORCH,),
        artifact_runtimes.read_torch_export,
        metadata.write_torch_export_metadata,
        "torch",
    ),
)


def names() -> list[str]:
    """Return the names of all targets: backends, formats, source code."""
    sources = [SOURCE + backend.name for backend in catalog.BACKENDS if backend.writes_source]
    return [*(backend.name for backend in catalog.BACKENDS), *(target.name for target in FORMATS), *sources]


def find(name: str) -> Backend | Format:
    """Return the backend or format of a name; a backend must be installed.

    Raises:
        PortError: there is no such target.
        BackendError: it is a backend that is not installed.
    """
    for target in FORMATS:
        if target.name == name:
            return target
    if name not in names():
        raise PortError(f"unknown target {name!r}{suggest(name, names())} (there are {', '.join(names())})")
    return catalog.require(name)


def hosts(target: Format) -> list[Host]:
    """Return the installed hosts of a format, in the order in which they are tried.

    Raises:
        PortError: no host is installed, or the runtime that verifies the artifact is missing; the message has the pip
            command that installs it.
    """
    available = [host for host in target.hosts if host.installed]
    lacking = missing(target.packages)
    if available and not lacking:
        return available
    # Name the host with an installed framework: it needs the fewest further packages.
    nearest = next((host for host in target.hosts if catalog.find(host.backend).installed), target.hosts[0])
    framework = catalog.find(nearest.backend)
    needed = ([] if framework.installed else [framework.title]) + [*lacking, *missing(nearest.packages)]
    if available:
        needed = lacking
    extras = dict.fromkeys([target.extra] + ([] if framework.installed else [framework.name]))
    raise PortError(
        f"a port to {target.name} needs {' and '.join(dict.fromkeys(needed))}, not installed here; "
        f"run: pip install 'trivium[{','.join(extras)}]'"
    )


def missing(packages: Iterable[Package]) -> list[str]:
    """Return the names on PyPI of those packages that are not installed."""
    return [package.distribution for package in packages if not package.installed]
