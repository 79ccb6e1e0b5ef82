"""Benchmarks: the measuring, its statistics, the suites, and their rows. `measure.py` explains what a figure means."""
