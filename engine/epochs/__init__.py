"""Epochs: how one is computed, by which plan, and what watches it."""
