"""Tools for a Keras model: layer summary, diagram, inference in batches, conversion to float64."""
