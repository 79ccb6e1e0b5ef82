"""Plots of histories, predictions, data and decision boundaries, drawn by matplotlib without a display."""
