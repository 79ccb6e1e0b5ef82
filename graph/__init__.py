"""A model as data, independent of any framework, and the writing of source code from it."""
