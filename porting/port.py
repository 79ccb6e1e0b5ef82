"""A trained model ported, and the port verified before it is called done.

To another backend (`between_backends.py`), to a format that other runtimes serve (`export.py`), to native source
code (`source_code.py`), or from another framework back to Keras (`to_keras.py`): whatever is asked for, the
source's own backend does not matter, and nothing takes its final name before every answer agrees.
"""

from __future__ import annotations

from pathlib import Path

from ..backends.workers.worker import Listener
from ..errors import OptionError, PortError
from . import between_backends, export, source_model, targets, to_keras
from .report import Check as Check
from .report import PortReport as PortReport
from .to_keras import port_from_torch as port_from_torch


def port(
    source: str | Path,
    to: str,
    out: str | Path | None = None,
    *,
    raw_inputs: bool | None = None,
    listener: Listener | None = None,
) -> PortReport:
    """Port a trained model.

    Args:
        source: a bundle's file, the run folder that holds it, or a Keras model file (`.keras`, `.h5`); for the target
            `keras` a `torch.export` program (`.pt2`) or an ONNX graph (`.onnx`).
        to: a backend, which must be installed; a format (savedmodel, onnx, openvino, litert, torch-export), made by
            whichever installed backend can; `source:BACKEND` for native source code; or `keras`.
        out: where the port goes, by default beside the source: a bundle to `bundle-TARGET.trivium`, anything else to a
            folder `bundle-TARGET` with `port.json` in it.
        raw_inputs: whether what is made takes raw inputs, their preparation within; None wherever that has a form of
            layers. A bundle prepares by itself.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The `PortReport`. When a check failed, `passed` is false and no file was written.

    Raises:
        PortError: there is no such target, nothing installed makes it, or it cannot hold this model.
        BackendError: the target is a backend that is not installed.
        BundleError, FileError: the source cannot be read.
        OptionError: raw inputs are asked for where the target prepares by itself, or there is no preparation.
        DataError: raw inputs are asked for, and the preparation has no form of layers.
        OutputError: what was ported cannot be written.

    Example:
        >>> report = trivium.port("runs/digits", to="onnx")
        >>> report.artifact
        PosixPath('/home/me/runs/digits/bundle-onnx/model.onnx')
        >>> report.largest.relative
        3.1e-07
    """
    place = Path(out) if out is not None else None

    def tell(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    if to == targets.KERAS:
        if raw_inputs:
            raise OptionError("a network that is rebuilt in Keras brings no preparation: leave --raw-inputs out")
        return to_keras.port_back(Path(source), place, tell)
    if to_keras.is_network(Path(source)):
        raise PortError(f"{source} is rebuilt in Keras first: trivium port {source} --to keras; then port that to {to}")
    if to.startswith(targets.SOURCE):
        from .source_code import port_source

        framework = to.removeprefix(targets.SOURCE)
        return port_source(Path(source), framework, place, listener, raw_inputs=raw_inputs)
    target = targets.find(to)
    if isinstance(target, targets.Format):
        targets.hosts(target)  # before anything is read
        return export.export(source_model.find(source), target, place, raw_inputs, tell)
    if raw_inputs is not None:
        raise OptionError(f"a port to {to} keeps its preparation beside the model: raw inputs are for other formats")
    return between_backends.move(source_model.find(source), target, place, tell)
