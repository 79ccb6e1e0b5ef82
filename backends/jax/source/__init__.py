"""A graph written as plain JAX functions over a tree of parameters, by text alone: nothing here imports JAX.

`expressions.py` has JAX's names for what is computed, `helpers.py` the functions that go into the module beside
`apply`. What it shares with other rooms is in `graph/writing/`.
"""

from .writer import refuses, write

__all__ = ["refuses", "write"]
