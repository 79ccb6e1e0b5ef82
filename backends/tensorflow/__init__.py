"""The TensorFlow backend: the only package of trivium that calls TensorFlow."""
