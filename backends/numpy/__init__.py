"""The room of NumPy: Keras computes with arrays alone, so models predict and evaluate here but do not train."""
