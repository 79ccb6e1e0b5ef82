"""Compare two models that were written independently: map their weights, and find where they part."""
