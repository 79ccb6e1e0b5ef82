"""The PyTorch backend: the only package of trivium that calls PyTorch."""
