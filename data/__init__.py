"""Datasets: their sources, splits, axes, sample weights and augmentation."""
