"""Epochs: which plan runs them, the loop that does, the order of their samples, and the callbacks that watch them."""
