"""Measuring: the statistics, the suites, and what they leave as rows. See `measure.py` for what a figure means."""
