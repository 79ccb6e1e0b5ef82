"""The helpers of recurrent layers with a mask, made from those without one."""

from __future__ import annotations

from collections.abc import Mapping

_STEP_NAME = "masked_step"


def masked_helpers(
    helpers: Mapping[str, str], step: str, changes: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the helpers `masked_lstm`, `masked_gru` and `masked_simple_rnn` with what they call, and their needs.

    Args:
        helpers: those without a mask.
        step: the text of `masked_step`, which they call.
        changes: what is replaced in a helper, each where it stands first.
    """
    texts = {f"masked_{kind}": _masked(kind, helpers[kind], changes) for kind in ("lstm", "gru", "simple_rnn")}
    return {_STEP_NAME: step, **texts}, dict.fromkeys(texts, (_STEP_NAME,))


def _masked(kind: str, text: str, changes: Mapping[str, str]) -> str:
    sentence = "\n\n    Where the mask (batch, time) is false, a step changes nothing.\n    "
    text = text.replace(f"def {kind}(", f"def masked_{kind}(").replace('."""', f'.{sentence}"""', 1)
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    return text
