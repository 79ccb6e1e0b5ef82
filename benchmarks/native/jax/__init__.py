"""Native JAX: pure functions over lists of arrays, compiled by the step or by the epoch; the state is donated."""

from __future__ import annotations

from .fit_settings import fit_settings as fit_settings
from .loop import CompiledLoop as CompiledLoop
from .loop import Loop as Loop
from .own_step import own_step_model as own_step_model
from .turns import TurnLoop as TurnLoop
