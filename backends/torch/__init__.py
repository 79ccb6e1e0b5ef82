"""The one room where PyTorch is spoken to directly."""
