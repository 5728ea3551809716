"""The picture that comes back: shows itself in a notebook, saves itself with its recipe."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, cat

from styler.api.errors import naming_arguments
from styler.image.levels import to_pixels
from styler.image.size import fit, resize
from styler.storage.pictures.load import load_picture, read_recipe
from styler.storage.pictures.save import encode_picture, save_picture

_SHOWN = 1024
"""Longest side in pixels that a notebook is given."""


@dataclass(frozen=True, eq=False, repr=False)
class Picture:
    """A painted picture.

    Attributes:
        tensor: Image, float32 [1, 3, H, W] in [0, 1].
        alpha: transparency [1, 1, H, W] in [0, 1], None where all is opaque.
        recipe: how it was made, as `styler show` prints it.
        credits: of the photo, which a file takes along.
    """

    tensor: Tensor
    alpha: Tensor | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    credits: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | str) -> Picture:
        """The picture in a file that styler wrote."""
        loaded = load_picture(path)
        return cls(loaded.image, loaded.alpha, read_recipe(path), loaded.credits)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels, as Pillow has it."""
        return self.tensor.shape[3], self.tensor.shape[2]

    @property
    def pil(self) -> Image.Image:
        """As a Pillow image: RGB, or RGBA where something is transparent."""
        return Image.fromarray(self.numpy())

    def numpy(self) -> NDArray[np.uint8]:
        """As bytes [H, W, 3], or [H, W, 4] where something is transparent."""
        return to_pixels(self.tensor if self.alpha is None else cat([self.tensor, self.alpha], dim=1))

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        quality: int = 95,
        metadata: bool = True,
    ) -> None:
        """Write a file by its ending, whole or not at all, with the recipe unless `metadata` is False.

        Raises OutputError, also for a file that exists unless `overwrite` is True.
        """
        with naming_arguments():
            save_picture(
                Path(path),
                self.tensor,
                alpha=self.alpha,
                recipe=self.recipe if metadata else None,
                credits=self.credits if metadata else None,
                overwrite=overwrite,
                quality=quality,
            )

    def png(self) -> bytes:
        """The bytes of a PNG file, without the recipe."""
        return encode_picture(self.tensor, "PNG", alpha=self.alpha)

    def shrunk(self, side: int) -> Picture:
        """The picture with this long side at most."""
        height, width = fit((self.tensor.shape[2], self.tensor.shape[3]), min(side, max(self.size)))
        alpha = None if self.alpha is None else resize(self.alpha, (height, width))
        return Picture(resize(self.tensor, (height, width)), alpha, self.recipe, self.credits)

    def _repr_png_(self) -> bytes:
        """For notebooks; large ones are shown smaller."""
        return self.shrunk(_SHOWN).png()

    def __repr__(self) -> str:
        return f"<styler.Picture {self.size[0]} x {self.size[1]}>"
