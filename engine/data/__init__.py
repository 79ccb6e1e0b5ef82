"""Datasets: samples, where they come from, and what is known about their axes, weights and order."""
