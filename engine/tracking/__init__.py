"""Experiment trackers: what a run sends to MLflow, Weights & Biases and TensorBoard, while it trains or afterwards."""
