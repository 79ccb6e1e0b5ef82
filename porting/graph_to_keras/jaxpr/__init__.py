"""Functions of JAX as foreign graphs."""
