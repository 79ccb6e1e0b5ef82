"""A graph written as a PyTorch module, by text alone: nothing here imports PyTorch.

`layers.py` has what is made once (an attribute of the module with its weights), `functions.py` what is computed from
what is there, `helpers.py` the few classes that PyTorch has nothing equal for, `text.py` how it is laid out. An array
keeps the axes in the order that PyTorch's last layer gave them until something needs another: see `Value`.
"""

from .handlers import refuses, write

__all__ = ["refuses", "write"]
