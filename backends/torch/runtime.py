"""What the engine asks of PyTorch."""

from __future__ import annotations

import os
from typing import Any

import torch

from ..runtime import Device, Runtime, processor


class TorchRuntime(Runtime):
    def devices(self) -> list[Device]:
        gpus = [
            Device(f"cuda:{index}", "gpu", torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
        return [*gpus, Device("cpu:0", "cpu", processor())]

    def threads(self) -> int:
        return int(torch.get_num_threads())

    def synchronise(self, value: Any = None) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()

    def device_memory_peak(self) -> int | None:
        return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else None

    def make_deterministic(self) -> None:
        # cuBLAS needs a fixed workspace to be deterministic; read when the first handle is made.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)

    def versions(self) -> dict[str, str]:
        found = {"torch": torch.__version__, "cuda": torch.version.cuda}
        return {name: str(version) for name, version in found.items() if version}


RUNTIME = TorchRuntime()
