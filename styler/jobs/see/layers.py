"""The table of a network's layers."""

from __future__ import annotations

from styler.options.shared import CONTENT_LAYERS, STYLE_LAYERS
from styler.storage.models import classifiers, vgg

_PARTS = range(24, 124)
"""Sides in pixels of what units see to which parts of things look whole: eyes, leaves, arches."""


def layers(network: str) -> list[tuple[object, ...]]:
    """Rows of a network's layers, shallow to deep.

    Name, channels, stride, side of the receptive field and where unit 0's begins, smallest picture, what the
    layer is good for, and parameters of its Gram matrix, which is symmetric. Raises WeightsError.
    """
    found = classifiers.load(vgg.resolve(network))
    widths = found.widths()
    return [
        (
            name,
            widths[name],
            field.stride,
            field.side,
            -field.offset,
            found.smallest(name),
            ", ".join(_uses(name, field.side)),
            widths[name] * (widths[name] + 1) // 2,
        )
        for name, field in found.receptive_fields().items()
    ]


def _uses(name: str, side: int) -> list[str]:
    uses = {
        "style": name in STYLE_LAYERS,
        "content": name in CONTENT_LAYERS,
        "dream": not name.startswith("pool") and side in _PARTS,
    }
    return [use for use, fits in uses.items() if fits]
