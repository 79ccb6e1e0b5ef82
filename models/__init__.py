"""The recipes: models as a textbook prints them, in pure Keras 3, one family a file.

A family imports Keras and nothing of ours but `recipe.py`; what surrounds a model (its data, its preparation, its
loss) is named there as data, and read by the engine.
"""
