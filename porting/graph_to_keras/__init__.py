"""A network of another framework rebuilt as a Keras model: from `torch.export` programs and ONNX graphs."""
