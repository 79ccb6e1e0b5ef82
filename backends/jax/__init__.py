"""The JAX backend: the only package of trivium that calls JAX."""
