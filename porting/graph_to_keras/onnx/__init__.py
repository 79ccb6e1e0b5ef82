"""ONNX files as foreign graphs."""
