"""Native TensorFlow: `tf.Variable`s, `tf.nn`, raw update operations, and one step or one epoch as a `tf.function`."""

from __future__ import annotations

from .fit_settings import fit_settings as fit_settings
from .loop import CompiledLoop as CompiledLoop
from .loop import Loop as Loop
from .own_step import own_step_model as own_step_model
from .turns import TurnLoop as TurnLoop
