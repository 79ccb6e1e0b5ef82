"""Model files that Keras 2 wrote, read as Keras 3 would have written them.

`configuration` translates the layers, `compilation` the optimizer, the losses and the metrics, both as JSON and without
a framework; `rewriting` puts the translation into the file before Keras reads it; `optimizer_state` restores the state
of the optimizer. Nothing here makes a class trusted: the translated configuration is checked as any other.
"""
