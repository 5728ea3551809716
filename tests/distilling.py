"""Small data and networks for the tests of the distillation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from distill.options import DistillOptions
from PIL import Image
from torch import Tensor

from styler.features import Extractor
from styler.networks.vgg import random_convolutions

SIDE = 32


def smooth(index: int, count: int = 4) -> Tensor:
    """Smooth noise: neighboring pixels are alike, as in pictures."""
    noise = torch.rand(count, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(index))
    return F.interpolate(noise, (SIDE, SIDE), mode="bilinear")


def teacher(seed: int = 1, width: int = 12) -> Extractor:
    return Extractor("vgg19", random_convolutions("vgg19", (width,) * 5, seed), padding="reflect")


def options(**changes: Any) -> DistillOptions:
    values = {"steps": 6, "batch": 2, "crop": SIDE, "crops": 6, "sample": 4, "widths": "3,3,4,4,4"}
    values |= {"report": 1, "save": 2, "warmup": 1, "precision": "float32"}
    return DistillOptions(**{**values, **changes})


def pictures(folder: Path, count: int = 4) -> Path:
    """A folder of small pictures, in two folders inside."""
    for index in range(count):
        place = folder / str(index % 2)
        place.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(index).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(values).resize((80, 64)).save(place / f"{index}.png")
    return folder
