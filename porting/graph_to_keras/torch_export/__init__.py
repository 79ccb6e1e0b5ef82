"""Programs of `torch.export` as foreign graphs."""
