"""The size that pictures are brought to, and how: the settings `size` and `fit` of whatever reads pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from ...errors import DataError
from ...functions import suggest

RESIZE, CROP, PAD = "resize", "crop", "pad"
FITS = (RESIZE, CROP, PAD)

_LARGEST = 10_000
_SIZE = re.compile(r"(\d{1,5})(?:[x×,](\d{1,5}))?", re.IGNORECASE)


@dataclass(frozen=True)
class PictureSize:
    """A height and a width in pixels, and how a picture of other proportions is brought to them.

    Attributes:
        height, width: 1 to 10,000.
        fit: `resize` changes the proportions; `crop` scales the picture until it covers the size, and cuts off what is
            left over on both sides; `pad` scales it until it fits into the size, and fills the border.
    """

    height: int
    width: int
    fit: str = RESIZE

    @classmethod
    def parse(cls, size: str, fit: str = "") -> PictureSize | None:
        """Return the size that the settings `size=64x48` (height x width) or `size=64`, and `fit=crop` say, or None.

        `64,48` is the same, as which a keyword (64, 48) is written.

        Raises:
            DataError: the size is none, or there is no such fit; or there is a fit without a size.
        """
        if not size and fit:
            raise DataError(f"`fit` {fit} says how pictures are brought to a size: add `size` 64x64")
        if not size:
            return None
        sides = _SIZE.fullmatch(size)
        height, width = (int(sides[1]), int(sides[2] or sides[1])) if sides else (0, 0)
        if not (1 <= height <= _LARGEST and 1 <= width <= _LARGEST):
            raise DataError(f"`size` {size}: expected height x width in pixels, such as 64x48, or 64 for a square")
        if fit not in ("", *FITS):
            raise DataError(f"`fit` {fit}: expected {', '.join(FITS)}{suggest(fit, list(FITS))}")
        return cls(height, width, fit or RESIZE)

    def to_json(self) -> dict[str, Any]:
        return {"size": [self.height, self.width], "fit": self.fit}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> PictureSize | None:
        """Return the size in the record of a dataset, or None if it has none.

        Raises:
            DataError: the record holds something else.
        """
        size = record.get("size")
        if size is None:
            return None
        if not isinstance(size, list) or len(size) != 2:
            raise DataError(f"the size of the pictures is recorded as {size!r}, expected height and width")
        return cls.parse("x".join(map(str, size)), str(record.get("fit", "")))

    def scale(
        self,
        picture: Image.Image,
        resampling: Image.Resampling = Image.Resampling.BILINEAR,
        border: str | int = "white",
    ) -> Image.Image:
        """Return the picture in this size.

        Args:
            resampling: how pixels are computed; bilinear averages over the pixels that become one.
            border: the colour of what `pad` fills.
        """
        if self.fit == RESIZE:
            return picture.resize((self.width, self.height), resampling)
        if self.fit == CROP:
            return picture.resize((self.width, self.height), resampling, box=self._centre_of(picture))
        ratio = min(self.height / picture.height, self.width / picture.width)
        width, height = max(1, round(picture.width * ratio)), max(1, round(picture.height * ratio))
        canvas = Image.new(picture.mode, (self.width, self.height), border)
        canvas.paste(
            picture.resize((width, height), resampling), ((self.width - width) // 2, (self.height - height) // 2)
        )
        return canvas

    def _centre_of(self, picture: Image.Image) -> tuple[float, float, float, float]:
        """Return the largest box of these proportions in the middle of a picture: left, top, right, bottom."""
        ratio = min(picture.height / self.height, picture.width / self.width)
        width, height = min(self.width * ratio, picture.width), min(self.height * ratio, picture.height)
        left, top = (picture.width - width) / 2, (picture.height - height) / 2
        return left, top, left + width, top + height
