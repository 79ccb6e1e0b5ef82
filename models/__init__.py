"""The recipes: models written as in a textbook, in pure Keras 3, with one file per family.

A family imports Keras and, from trivium, only `recipe.py`. A model's dataset, preprocessing and loss are declared there
as data, which the engine reads.
"""
