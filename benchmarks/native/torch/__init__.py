"""Native PyTorch: `torch.nn` modules, `torch.optim`, and a loop without a DataLoader, eager or compiled."""

from __future__ import annotations

from .fit_settings import fit_settings as fit_settings
from .loop import CompiledLoop as CompiledLoop
from .loop import Loop as Loop
from .own_step import own_step_model as own_step_model
from .turns import TurnLoop as TurnLoop
