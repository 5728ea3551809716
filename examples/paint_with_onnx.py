"""Paint a photo with an exported network, without torch and without styler: onnxruntime, NumPy and Pillow.

With styler, but without torch, it is `styler fast photo.jpg --style wave --engine onnx`.

    styler models export wave wave.onnx              # once, where styler is installed
    pip install onnxruntime numpy pillow             # where it is to paint: about 160 MB
    python paint_with_onnx.py wave.onnx photo.jpg painted.png 0.02

The last number is the strength of the gray noise that the network is shown, as `models export` tells it;
most networks that come with styler make brushwork of it. The pixels are those of `styler fast --precision
float32` to 1 of 255.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def grain(height: int, width: int) -> np.ndarray:
    """Gray noise [H, W]: white, and 1.5 times as much that is smooth."""
    white, smooth = np.random.default_rng((0, 0, 3)).standard_normal((2, height, width), np.float32)
    offsets = range(-8, 9)
    bell = np.exp(-0.5 * np.square(np.array(offsets) / 1.8))
    bell = (bell / np.sqrt(np.square(bell).sum())).astype(np.float32)
    for axis in (0, 1):
        smooth = sum(
            weight * np.roll(smooth, offset, axis) for offset, weight in zip(offsets, bell, strict=True)
        )
    return white + np.float32(1.5) * smooth


def main(model: str, photo: str, target: str, strength: str = "0") -> None:
    """Paint one photo, upright and without transparency."""
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"))
    image = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255  # [1, 3, H, W] in [0, 1]
    image += np.float32(strength) * grain(*image.shape[2:])
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (painted,) = session.run(None, {session.get_inputs()[0].name: image})
    levels = (painted[0].clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(levels.transpose(1, 2, 0)).save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
