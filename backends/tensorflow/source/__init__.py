"""A graph written as a TensorFlow module, by text alone: nothing here imports TensorFlow.

`expressions.py` has TensorFlow's names for what is computed, `helpers.py` the functions that go into the text beside
the module. What it shares with other rooms is in `graph/writing/`.
"""

from .writer import refuses, write

__all__ = ["refuses", "write"]
