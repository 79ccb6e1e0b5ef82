"""Plots of histories, predictions, data and decision boundaries, by matplotlib without a display."""
