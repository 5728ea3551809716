"""Single conifers of the lake picture, drawn whorl by whorl."""

import numpy as np
from PIL import Image, ImageDraw
from render_light import linear


def spruce(height: int, seed: int, autumn: bool):
    """Draw one conifer whorl by whorl: linear light `[H, W, 3]` and cover `[H, W]`, `height` pixels high."""
    rng = np.random.default_rng(seed)
    tall, wide = 2 * height, int(1.1 * height)
    canvas = Image.new("RGBA", (wide, tall), (40, 40, 30, 0))
    draw = ImageDraw.Draw(canvas)
    middle, lean = wide / 2, rng.normal(0, 0.01) * tall
    draw.polygon(
        [(middle + lean, 0), (middle - tall / 60, tall), (middle + tall / 60, tall)], fill=(58, 42, 32, 255)
    )
    whorls = int(np.clip(tall / 9, 12, 70))
    for level in np.linspace(0.02, 0.95, whorls):
        reach = wide * 0.40 * level**0.85 * rng.uniform(0.75, 1.12)
        for turn in sorted(rng.uniform(0, 2 * np.pi, 8), key=np.sin):
            length = reach * rng.uniform(0.7, 1.1)
            branch(draw, rng, middle + lean * (1 - level), level * tall * 0.97, length, turn, level, autumn)
    pixels = np.asarray(canvas.resize((wide // 2, height), Image.Resampling.BOX), np.float32) / 255
    return linear(pixels[..., :3]), pixels[..., 3]


def branch(draw, rng, x, y, length, turn, level, autumn) -> None:
    """Draw one drooping branch as hanging needle strokes, lit from the left."""
    lit = 0.42 - 0.36 * np.cos(turn) - 0.18 * np.sin(turn) + rng.normal(0, 0.14)
    dark, bright = (
        (np.array([70, 40, 22]), np.array([250, 186, 70]))
        if autumn
        else (np.array([12, 22, 22]), np.array([186, 158, 76]))
    )
    count = max(4, int(length / 3.5))
    for part in np.linspace(0.08, 1, count):
        px = x + length * part * np.cos(turn)
        py = y + length * (0.30 * part - 0.10 * part**3) + length * 0.16 * np.sin(turn) * part
        drop = length * rng.uniform(0.10, 0.26) * (1.15 - part) + 3
        amount = np.clip(lit * (0.25 + 0.75 * part) * rng.uniform(0.45, 1.1) * 1.25, 0, 1)
        ink = tuple(int(c) for c in dark + (bright - dark) * amount)
        slant = drop * rng.uniform(-0.3, 0.7) * np.sign(np.cos(turn))
        draw.line([(px, py), (px + slant, py + drop)], fill=(*ink, 255), width=2 + int(length > 60))
