"""What the rendered example pictures share: vectors, blends, the tone curve and saving."""

import io
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

LIMIT = 290_000  # bytes of one example picture


def vector(*xyz: float):
    """A unit float32 vector."""
    v = np.array(xyz, np.float32)
    return v / np.linalg.norm(v)


def linear(srgb):
    """Linear light from sRGB values in [0, 1]."""
    return np.where(srgb < 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def color(*rgb: float):
    """A linear-light colour from 8-bit sRGB."""
    return linear(np.array(rgb, np.float32) / 255)


def unit(v):
    """Normalise vectors `[..., 3]`."""
    return v / np.maximum(np.sqrt((v * v).sum(-1, keepdims=True)), 1e-9)


def smoothstep(low: float, high: float, x):
    """Hermite step from 0 at `low` to 1 at `high`; `low` may be the greater."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def mix(a, b, weight):
    """Blend colours `[..., 3]` by a weight `[...]`."""
    weight = np.asarray(weight, np.float32)[..., None]
    return a + (b - a) * weight


def tone(linear, exposure: float = 1.0):
    """ACES filmic curve (Narkowicz 2015) and the sRGB transfer: linear light to [0, 1]."""
    x = np.maximum(linear * exposure, 0)
    x = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return np.where(x < 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)


def grade(linear, saturation: float = 1.1):
    """Push colours away from their luminance, in linear light."""
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    return np.maximum(luminance[..., None] + (linear - luminance[..., None]) * saturation, 0)


def glow(linear, threshold: float, sigma: float, amount: float):
    """Add the blurred highlights, as a lens does."""
    bright = np.minimum(np.maximum(linear - threshold, 0), 4)
    return linear + amount * gaussian_filter(bright, (sigma, sigma, 0))


def save(picture, path: Path, size: tuple[int, int]) -> None:
    """Write display values `[H, W, 3]` in [0, 1] as a JPEG of (width, height) under LIMIT bytes."""
    image = Image.fromarray((np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8))
    image = image.resize(size, Image.Resampling.LANCZOS)
    for quality in range(93, 40, -3):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality, optimize=True, progressive=True)
        if data.tell() <= LIMIT:
            break
    path.write_bytes(data.getvalue())
    print(f"{path}: {size[0]}x{size[1]}, {data.tell():,} bytes, quality {quality}")


def run(render, name: str, size: tuple[int, int] = (1024, 768), oversample: float = 1.5) -> None:
    """Render to the path on the command line, or beside this script; a second word scales the picture."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name(name)
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    started = time.perf_counter()
    width, height = (round(side * scale) for side in size)
    save(render(round(width * oversample), round(height * oversample)), path, (width, height))
    print(f"{time.perf_counter() - started:.0f} s")
