"""Writing a graph as a PyTorch module. It only produces text and does not import PyTorch.

`layers.py` has the layers that become attributes with weights, `functions.py` and `shapes.py` the operations without
weights, `helpers.py` the few classes that PyTorch has no equivalent of. An array keeps the axis order of the PyTorch
layer that computed it until an operation needs another: see `Value`.
"""

from .handlers import refuses, write

__all__ = ["refuses", "write"]
