"""The one room where JAX is spoken to directly."""
