"""Paint a photo with an exported network, without torch and without styler: onnxruntime, NumPy and Pillow.

With styler, but without torch, it is `styler fast photo.jpg --style wave --engine onnx`.

    styler models export wave wave.onnx              # once, where styler is installed
    pip install onnxruntime numpy pillow             # where it is to paint: about 160 MB
    python paint_with_onnx.py wave.onnx photo.jpg painted.png

The pixels are those of `styler fast --precision float32`; `python benchmarks/onnx.py` compares them.
"""

from __future__ import annotations

import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def main(model: str, photo: str, target: str) -> None:
    """Paint one photo, upright and without transparency."""
    pixels = np.asarray(ImageOps.exif_transpose(Image.open(photo)).convert("RGB"))
    image = pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255  # [1, 3, H, W] in [0, 1]
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (painted,) = session.run(None, {session.get_inputs()[0].name: image})
    levels = (painted[0].clip(0, 1) * 255).round().astype(np.uint8)
    Image.fromarray(levels.transpose(1, 2, 0)).save(target)


if __name__ == "__main__":
    main(*sys.argv[1:])
