"""The targets of a port as data: what makes each, what runs it, and what must be installed for that.

Which backend can host which of Keras' exports was measured on every recipe (docs/porting.md). A target that a backend
fails on is not in its list, so that nothing is tried that is known not to work. No framework is imported here.
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

# A target that is written as native source is named so, with the framework behind it.
SOURCE = "source:"
# Where networks of other frameworks go: the way back.
KERAS = "keras"


@dataclass(frozen=True)
class Package:
    """What pip installs: the module that is imported, and the name it is published under."""

    module: str
    distribution: str

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None


@dataclass(frozen=True)
class Host:
    """A backend on which Keras makes a format.

    Attributes:
        backend: its name.
        packages: what the export imports beside the framework.
        unroll: whether recurrent layers must be written out step by step for it, which computes the same.
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
        name: the word that `--to` takes.
        title: what it is called.
        keras_name: what `keras.Model.export` calls it.
        file: the name of the artifact within its folder; empty where the folder is the artifact.
        hosts: the backends that make it, the one to be tried first before the others.
        runtime: what checks it is called.
        packages: what that is made of.
        reader: the function that opens it (see `artifact_runtimes.py`).
        describer: the function that writes what the artifact is into it, or None where the format has no place for it.
        extra: the extra of trivium that installs the packages.
    """

    name: str
    title: str
    keras_name: str
    file: str
    hosts: tuple[Host, ...]
    runtime: str
    packages: tuple[Package, ...]
    reader: Callable[..., Artifact]
    describer: Callable[[Path, str], None] | None
    extra: str


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
        metadata.describe_onnx,
        "onnx",
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
        metadata.describe_openvino,
        "openvino",
    ),
    Format(
        "litert",
        "LiteRT",
        "litert",
        "model.tflite",
        # Loops over a sequence become operations that the interpreter does not have.
        (Host("tensorflow", unroll=True),),
        "the LiteRT interpreter",
        (_LITERT,),
        artifact_runtimes.read_litert,
        metadata.describe_litert,
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
        metadata.describe_torch_export,
        "torch",
    ),
)


def names() -> list[str]:
    """Every word that `--to` takes: backends, formats, source code."""
    sources = [SOURCE + backend.name for backend in catalog.BACKENDS if backend.writes_source]
    return [*(backend.name for backend in catalog.BACKENDS), *(target.name for target in FORMATS), *sources]


def find(name: str) -> Backend | Format:
    """The backend or format of that name, a backend required to be installed.

    Raises:
        PortError: there is none.
        BackendError: it is a backend that is not installed.
    """
    for target in FORMATS:
        if target.name == name:
            return target
    if name not in names():
        raise PortError(f"unknown target {name!r}{suggest(name, names())} (there are {', '.join(names())})")
    return catalog.require(name)


def hosts(target: Format) -> list[Host]:
    """The hosts that can make a format here, the one to be tried first before the others.

    Raises:
        PortError: none can, or the runtime that checks the artifact is missing; the message has the line that installs
            what is.
    """
    available = [host for host in target.hosts if host.installed]
    missing = _missing(target.packages)
    if available and not missing:
        return available
    # Of several hosts the one whose framework is here already costs the least.
    nearest = next((host for host in target.hosts if catalog.find(host.backend).installed), target.hosts[0])
    framework = catalog.find(nearest.backend)
    needed = ([] if framework.installed else [framework.title]) + [*missing, *_missing(nearest.packages)]
    if available:
        needed = missing
    extras = dict.fromkeys([target.extra] + ([] if framework.installed else [framework.name]))
    raise PortError(
        f"a port to {target.name} needs {' and '.join(dict.fromkeys(needed))}, not installed here; "
        f"run: pip install 'trivium[{','.join(extras)}]'"
    )


def _missing(packages: Iterable[Package]) -> list[str]:
    return [package.distribution for package in packages if not package.installed]
