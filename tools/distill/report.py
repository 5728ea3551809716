"""Figures of narrow networks beside each other, on pictures that none of them was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

import styler
from distill.job import Wide
from distill.measure import agreement, crops, explained, on_the_way, typical
from distill.options import DistillOptions
from styler.image.size import fit, resize
from styler.networks.vgg import layer_names
from styler.storage.datasets.photos import Pictures
from styler.storage.models import vgg

SIDE = 160
"""Side of the crops in pixels."""
FITTED = 200, 100
"""Photos and paintings that the linear maps are fitted on."""
HELD = 16
"""Crops of held-out photos, and as many of held-out paintings."""
STEPS = 2, 6
"""Steps of an optimization whose gradients are compared."""
PAIRS = 8
"""Photos and paintings for these optimizations, each begun from the photo and from noise."""
TYPICAL, TYPICAL_SIDE = 48, 256
"""Photos of the typical figures, and their long side in pixels."""
LAYERS = [name for name in layer_names("compact") if name.startswith("relu")]


@dataclass(frozen=True)
class Data:
    """Folders or lists of photos and paintings: those that maps are fitted on, and those held out."""

    photos: str
    paintings: str
    held_photos: str
    held_paintings: str


def report(networks: Sequence[str], teacher: str, painter: str, data: Data) -> dict[str, dict[str, Any]]:
    """By network: `explained` and `gradient` by layer, held out, and `typical` figures of a photo by layer.

    Args:
        networks: names or files.
        painter: network whose optimizations the gradients are compared on.
    """
    wide = vgg.load(teacher)
    fast = Wide(wide, DistillOptions())
    fitted = torch.cat(
        [
            crops(Pictures(data.photos), FITTED[0], SIDE, 1),
            crops(Pictures(data.paintings), FITTED[1], SIDE, 2),
        ]
    )
    photos, paintings = (
        crops(Pictures(data.held_photos), HELD, SIDE, 3),
        crops(Pictures(data.held_paintings), HELD, SIDE, 4),
    )
    pictures = on_the_way(photos[:PAIRS], paintings[:PAIRS], vgg.load(painter), STEPS)
    figures = {}
    for name in networks:
        network = vgg.load(name)
        narrow = partial(network, padding="reflect")
        figures[name] = {
            "explained": explained(narrow, fast, LAYERS, fitted, torch.cat([photos, paintings])),
            "gradient": agreement(network, wide, pictures),
            "typical": typical_of(network, data.photos),
        }
    return figures


def typical_of(network: Any, photos: str) -> dict[str, list[float]]:
    """Figures of a typical photo, from TYPICAL photos spread over a dataset."""
    whole = Pictures(photos, hold_out=TYPICAL).held
    images = [styler.load(path).image for path in whole]
    return typical(
        network, [resize(image, fit((image.shape[-2], image.shape[-1]), TYPICAL_SIDE)) for image in images]
    )


def keep(file: str, figures: Mapping[str, Any], content_weight: float | None) -> None:
    """Write a network's figures into its card: `held_out` (explained, gradient) and `typical`."""
    card, network = vgg.read_card(file), vgg.read(Path(file))
    shares = {
        kind: {name: round(x, 4) for name, x in figures[kind].items()} for kind in ("explained", "gradient")
    }
    information = {**card.information, "held_out": shares, vgg.TYPICAL: figures["typical"]}
    if content_weight is not None:
        information[vgg.WEIGHT] = content_weight
    convolutions = {
        name: (network.get_buffer(f"{name}_weight"), network.get_buffer(f"{name}_bias"))
        for name in network.layers
        if name.startswith("conv")
    }
    vgg.write(
        file,
        network.network,
        convolutions,
        network.normalization,
        network.padding,
        card.licence,
        information,
        torch.float16,
    )
