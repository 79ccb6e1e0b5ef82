"""Writing a graph as a TensorFlow module. It only produces text and does not import TensorFlow.

`expressions.py` has TensorFlow's expressions, `helpers.py` the functions that the written module needs beside its
class. The code shared with other backends is in `graph/writing/`.
"""

from .writer import refuses, write

__all__ = ["refuses", "write"]
