"""The code that the backends' source writers share: text layout, and the walk over a graph."""
