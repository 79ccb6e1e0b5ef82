"""Writing a graph as plain JAX functions over a tree of parameters. It only produces text and does not import JAX.

`expressions.py` has JAX's expressions, `helpers.py` the functions that the written module needs beside `apply`. The
code shared with other backends is in `graph/writing/`.
"""

from .writer import refuses, write

__all__ = ["refuses", "write"]
