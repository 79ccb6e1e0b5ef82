"""Read a Keras model as a graph, which each backend's `source` package writes as native source."""
