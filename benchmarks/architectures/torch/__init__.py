"""Architectures that are defined as PyTorch modules."""
