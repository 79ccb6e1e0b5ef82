"""The text of a recurrent helper with a mask, made from the helper without one."""

from __future__ import annotations

from collections.abc import Mapping


def masked_text(kind: str, text: str, changes: Mapping[str, str]) -> str:
    """Return the helper `masked_KIND`.

    Args:
        kind: `lstm`, `gru` or `simple_rnn`.
        text: the helper without a mask.
        changes: what is replaced in it, each where it stands first.
    """
    sentence = "\n\n    Where the mask (batch, time) is false, a step changes nothing.\n    "
    text = text.replace(f"def {kind}(", f"def masked_{kind}(").replace('."""', f'.{sentence}"""', 1)
    for old, new in changes.items():
        text = text.replace(old, new, 1)
    return text
