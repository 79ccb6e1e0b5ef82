"""Data-parallel training: batches divided between devices or processes."""
