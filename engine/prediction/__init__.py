"""Predictions, evaluations and generated samples of a trained model."""
