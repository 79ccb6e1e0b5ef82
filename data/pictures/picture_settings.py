"""The settings of every reader of pictures, which are given as text."""

from __future__ import annotations

from dataclasses import dataclass

from ..data_name import parse_flag
from ..dataset import TEST_SHARE, share_of
from .picture_size import PictureSize


@dataclass(frozen=True)
class PictureSettings:
    """How pictures are read.

    Attributes:
        size: to bring them to; None where all have one size.
        test_share: how many of them are the test split.
        skip_broken: whether pictures that cannot be read are left out.
        stored: whether they stay in their files, as text; see `stored.is_stored`.
    """

    size: PictureSize | None = None
    test_share: float = TEST_SHARE
    skip_broken: bool = False
    stored: str = ""

    @classmethod
    def parse(cls, size: str, fit: str, test_share: str, skip_broken: str, stored: str) -> PictureSettings:
        """Return the settings that these texts say.

        Raises:
            DataError: a text says something else.
        """
        return cls(PictureSize.parse(size, fit), share_of(test_share), parse_flag("skip_broken", skip_broken), stored)
