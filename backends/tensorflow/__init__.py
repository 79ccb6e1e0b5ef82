"""The one room where TensorFlow is spoken to directly."""
