"""Quantise an artifact, and keep it only if it predicts almost as well as before."""
