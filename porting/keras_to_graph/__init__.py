"""Keras models read as graphs, which the frameworks' rooms write as native source."""
