"""Runs: their folder, record, history, lock and checkpoints, and the rules for resuming them."""
