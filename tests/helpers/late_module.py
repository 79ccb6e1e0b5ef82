"""Modules of frameworks for helpers that tests import while they are collected, before a backend is chosen."""

import importlib


class LateModule:
    """A module that is imported when it is first used.

    Args:
        name: its name, such as `keras.layers`.
    """

    def __init__(self, name):
        self._name = name

    def __getattr__(self, attribute):
        return getattr(importlib.import_module(self._name), attribute)
