"""Draw 30 cats that no renderer made: `python examples/draw_cats.py SHEET.jpg [NETWORK]`.

They judge a translator. Each is written down stroke by stroke, and drawn with a tool that training has
not seen: a pencil, a brush that swells, a dashed line, chalk on black. With a NETWORK, a name or a file,
each is beside what `styler translate --from-sketch` makes of it, with its number as the seed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from cat_shapes import bend
from PIL import Image, ImageDraw, ImageFilter
from render_cats import show

from styler.networks.layers import Mode
from styler.storage.models import library
from styler.tasks.translate import Preparation, Reading

SIDE, FINE = 256, 3

CATS = """
pen 2.5: oval 50 56 28 25; +line 27 44 26 16 44 33; +oval 38 52 6 6; +dot 38 52 2.5; line 47 63 53 63 50
67 47 63; line 50 67 50 71; +curve 50 71 44 75 38 71; +line 36 66 12 62; +line 36 69 12 71

pen 4: curve 30 40 24 56 32 74 50 80 68 74 76 56 70 40; +line 30 42 22 12 44 30; line 44 31 56 31; +oval
38 54 7 8; +fill 39 54 3 6; fill 50 66 3.5 2.5; +curve 50 69 46 73 41 72

pen 1.5: line 26 40 22 60 36 78 50 82 64 78 78 60 74 40 60 34 40 34 26 40; +line 26 40 24 14 40 34; +line
32 52 40 48 46 54 38 57 32 52; +line 39 49 39 57; line 46 64 54 64 50 69 46 64; +line 50 69 42 74; +line
34 66 8 58; +line 34 70 8 70; +line 34 74 8 80

brush 4: curve 28 38 21 58 33 77 50 81 67 77 79 58 72 38; +curve 28 40 24 24 25 12 34 20 42 32; curve 42
32 50 30 58 32; +curve 32 53 38 47 46 54 38 57 32 53; +fill 39 52.5 2 4; fill 50 64 3 2; +curve 50 67 47
72 40 71; +curve 36 67 22 62 8 64; +curve 36 70 22 70 8 75

pencil 2: oval 50 60 32 24; +line 24 48 28 18 44 38; +line 28 42 30 26 39 38; +oval 37 57 5 7; +dot 37 58
2; line 47 66 53 66 50 69 47 66; +curve 50 69 47 74 43 72; +line 34 68 14 66; +line 34 71 15 74

dash 2.5: oval 50 55 27 26; +line 28 42 24 14 44 31; +oval 39 50 6 6; +dot 39 50 2.5; line 47 61 53 61 50
65 47 61; +curve 50 65 46 71 40 68

pen 3: oval 50 58 26 27; +line 29 42 30 14 46 33; +oval 40 53 7 7; +fill 41 54 4 4; fill 50 64 3 2; curve
42 69 46 73 50 70 54 73 58 69; curve 32 82 22 92 20 99; curve 68 82 78 92 80 99

pen 2: curve 27 46 18 58 26 66 30 76 50 84 70 76 74 66 82 58 73 46; +curve 27 47 25 30 28 16 38 24 43 34;
curve 43 34 50 32 57 34; +curve 31 56 36 50 45 54 43 59 36 60 31 56; +dot 39 55.5 3.4; line 46 66 54 66 50
71 46 66; line 50 71 50 74; +curve 50 74 45 79 40 76; +line 33 70 10 66; +line 33 73 10 76

chalk 2.5: oval 50 57 29 25; +line 26 46 24 16 43 34; +oval 38 54 6 6; +dot 38 54 2.5; line 47 64 53 64 50
67 47 64; +curve 50 67 46 72 41 70; +line 36 67 13 64; +line 36 70 13 73

pen 5: line 27 42 24 14 43 32 57 32 76 14 73 42 78 62 64 78 36 78 22 62 27 42; +fill 38 53 4.5 4.5; fill
50 64 3.5 2.5; +line 50 66 42 72

pen 1.2: oval 50 56 30 24; oval 50.5 56.5 29.5 24.5; +line 26 44 27 14 44 33; +line 25.5 43 27.5 15 43 32;
+oval 38 53 6 5; +oval 38.4 52.6 5.8 5.3; +fill 38 53 1.8 4; line 47 62 53 62 50 66 47 62; +curve 50 66 46
71 41 69; +line 35 64 11 58; +line 35 67 10 67; +line 35 70 12 76

brush 2.5: curve 29 36 23 50 25 66 38 78 50 80 62 78 75 66 77 50 71 36; +line 29 37 20 10 44 29; +curve 44
29 50 28; +oval 39 51 8 8; +oval 40 52 4 5; +dot 40 52 2; curve 46 63 50 62 54 63 50 67 46 63; line 50 67
50 71; curve 40 71 45 75 50 71 55 75 60 71

turn 8 pen 2.5: oval 50 58 27 24; +line 27 46 27 18 44 36; +oval 39 55 6 7; +fill 39 55 2 6; line 47 65 53
65 50 69 47 65; +curve 50 69 46 73 42 71; +line 36 68 12 66; curve 34 80 26 90 24 99; curve 66 80 74 90 76
99

turn -10 pen 3: curve 28 42 22 58 34 76 50 80 66 76 78 58 72 42; +line 28 42 26 14 44 32; curve 44 32 50
31 56 32; +oval 38 54 5.5 5.5; +dot 38 54 2; line 47 64 53 64 50 67 47 64; +line 50 67 43 71

small pen 2: oval 50 56 28 25; +line 27 44 26 16 44 33; +oval 38 52 7 7; +fill 38 52 3 5; line 46 62 54 62
50 67 46 62; +curve 50 67 45 73 39 70; +line 36 66 12 62; curve 34 78 22 98 20 120; curve 66 78 78 98 80
120

large pen 2.5: oval 50 57 29 25; +line 26 44 28 18 44 34; +oval 38 54 6 5; +fill 38 54 2 4; line 47 64 53
64 50 67 47 64; +curve 50 67 46 71 41 69; +line 36 67 14 65

left pen 2.5: oval 50 56 28 25; +line 27 44 24 16 44 33; +oval 39 52 5 6; +dot 39 52 3; fill 50 63 3 2;
+curve 50 66 46 71 41 69; +line 36 66 14 62; +line 36 69 14 70; curve 36 79 28 90 26 99; curve 64 79 74 90
76 99

pen 2: line 30 34 22 46 20 54 25 52 24 62 30 60 32 70 38 70 44 78 50 76 56 78 62 70 68 70 70 60 76 62 75
52 80 54 78 46 70 34; +line 30 35 25 12 44 29; line 44 29 50 32 56 29; +oval 39 50 6 7; +fill 39.5 50 2.5
5; line 47 60 53 60 50 64 47 60; +curve 50 64 46 69 42 67; +line 36 63 14 60

pencil 3: curve 30 38 24 54 32 74 50 80 68 74 76 54 70 38; +curve 30 39 23 26 24 12 36 18 44 30; +curve 32
54 38 48 45 53; +curve 32 54 39 59 45 53; +dot 39 53 3; line 46 64 54 64 50 68 46 64; +curve 50 68 46 74
40 72; +line 30 60 8 55; +line 30 64 8 64; line 44 36 45 42; line 50 35 50 42; line 56 36 55 42

pen 3.5: oval 50 60 34 22; +line 22 50 24 26 40 41; +fill 36 58 3.5 4.5; oval 50 65 4 2.5; +line 24 62 6
59; +line 24 66 6 66; +line 24 70 6 73

pen 2: line 50 84 24 62 27 14 44 34 56 34 73 14 76 62 50 84; +line 32 50 44 54 36 58 32 50; +dot 38 54 2;
line 46 68 54 68 50 73 46 68

pen 2.5: oval 50 54 24 28; +curve 30 40 26 26 30 10 40 18 44 28; +oval 41 50 6 7.5; +fill 41 50 2.2 6;
line 47.5 62 52.5 62 50 65 47.5 62; +curve 50 65 47 70 43 68; +line 38 65 18 60; +line 38 68 17 70

brush 6: oval 50 57 27 25; +line 27 44 25 15 43 33; +dot 39 54 4; fill 50 64 3.5 2.5; +curve 50 67 45 72
40 69

pen 1: curve 28 40 22 52 24 66 36 78 50 80 64 78 76 66 78 52 72 40 61 33 50 31 39 33 28 40; +line 29 39 25
16 42 32; +line 31 36 28 21 38 32; +curve 31 53 35 48 42 49 46 54 41 57 35 57 31 53; +oval 39 52.7 4 4;
+fill 39 52.7 1.4 3.6; curve 46 62 50 61 54 62 52 65 50 66 48 65 46 62; line 50 66 50 70; +curve 50 70 47
73 43 73 40 70; +curve 37 66 24 62 10 64; +curve 37 68 24 67 10 71; +curve 37 70 24 72 12 78; curve 38 79
28 88 24 99; curve 62 79 72 88 76 99

pen 2.5: oval 50 56 28 26; +curve 28 42 22 32 24 18 36 18 44 31; +oval 38 53 7.5 7.5; +dot 40 53 4; fill
50 63 2.5 2; line 50 65 50 69; curve 43 70 50 74 57 70

dash 3: curve 30 40 24 56 32 74 50 80 68 74 76 56 70 40; +line 30 40 24 12 44 31; +oval 38 54 6 5; +fill
38 54 2 4; line 47 64 53 64 50 68 47 64; +line 50 68 43 72

pen 2.5: oval 49 57 28 24; line 24 46 20 18 42 36; line 58 35 72 12 74 44; oval 37 55 6 6; oval 60 53 7 6;
dot 38 55 2.5; dot 61 53 2.5; line 46 64 52 63 50 67 46 64; curve 41 70 46 73 50 67 55 72 59 69; line 34
66 10 66; line 34 69 12 74; line 63 66 88 60; line 63 69 90 70

pen 4.5: oval 50 55 27 24; +line 28 44 22 18 42 34; +line 31 52 45 52; +curve 31 52 38 60 45 52; +dot 38
54.5 2.5; fill 50 62 3 2; +curve 50 65 46 69 42 68; +line 34 64 12 60; +line 34 67 12 70

chalk 3.5: curve 29 40 23 57 34 75 50 80 66 75 77 57 71 40; +line 29 41 24 13 44 31; curve 44 31 50 30 56
31; +oval 38 53 6 7; +fill 38.5 53 2.4 5; line 47 64 53 64 50 68 47 64; +curve 50 68 45 73 40 70; +line 35
67 12 63; +line 35 70 12 72

pen 2: oval 50 46 24 22; +line 31 33 29 10 44 26; +oval 40 43 5.5 5.5; +fill 40 43 2 4; line 47.5 52 52.5
52 50 55 47.5 52; +curve 50 55 47 59 43 57; +line 38 54 18 51; +line 38 57 18 59; curve 34 63 26 80 26 99;
curve 66 63 74 80 74 99; line 44 82 44 99; line 56 82 56 99
"""
"""Tool and width of each cat, and strokes in percent of the paper, y down; "+" adds the mirror image."""


class Paper:
    """A sheet of paper, finer than the drawing, and the tool that draws on it."""

    def __init__(self, tool: str, width: float, seed: int) -> None:
        self.canvas = Image.new("L", (SIDE * FINE, SIDE * FINE), 255)
        self.pen, self.tool, self.width = ImageDraw.Draw(self.canvas), tool, width
        self.draw = np.random.default_rng(seed)

    def stroke(self, points: np.ndarray) -> None:
        """Draw along points [N, 2] in pixels of the drawing, dab by dab."""
        along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        at = np.arange(0, along[-1], 0.4)
        sway = np.interp(at, np.linspace(0, along[-1] + 1, 6), self.draw.normal(0, 0.7, 6))
        x, y = (np.interp(at, along, points[:, axis]) + sway for axis in (0, 1))
        share = at / max(along[-1], 1e-6)
        swell = 0.45 + 0.9 * np.sin(np.pi * share) if self.tool == "brush" else np.ones_like(at)
        shown = (at // (3.5 * self.width)) % 3 < 2 if self.tool == "dash" else np.ones_like(at, bool)
        for a, b, r in np.stack([x, y, swell * self.width / 2], 1)[shown] * FINE:
            self.pen.ellipse((a - r, b - r, a + r, b + r), fill=0)

    def area(self, points: np.ndarray) -> None:
        """Ink all within points."""
        self.pen.polygon([tuple(point) for point in (points * FINE).tolist()], fill=0)

    def finished(self) -> Image.Image:
        """The drawing; of a pencil with the paper's grain, of chalk on a blackboard."""
        drawing = self.canvas.reduce(FINE)
        if self.tool == "pencil":
            ink = 1 - np.asarray(drawing, np.float32) / 255
            grain = self.draw.uniform(0.35, 0.85, ink.shape)
            drawing = Image.fromarray((255 * (0.97 - ink * grain)).astype(np.uint8))
        if self.tool == "chalk":
            drawing = drawing.filter(ImageFilter.GaussianBlur(0.5)).point(
                lambda value: 235 - 205 * value // 255
            )
        return drawing


def drawn(text: str, seed: int) -> Image.Image:
    """The drawing [SIDE, SIDE] of a part of CATS."""
    head, _, body = text.partition(":")
    words = head.split()
    angle = np.radians(float(words[1])) if words[0] == "turn" else 0.0
    scale, shift = {"small": (0.68, (0, 6)), "large": (1.22, (0, 2)), "left": (0.85, (-9, 4))}.get(
        words[0], (1, (0, 0))
    )
    paper = Paper(words[-2], float(words[-1]), seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for stroke in body.split(";"):
        kind, *numbers = stroke.split()
        points = curve(kind.lstrip("+"), np.array([float(number) for number in numbers]))
        for mirrored in (False, True)[: 1 + kind.startswith("+")]:
            placed = points * (-1, 1) + (100, 0) if mirrored else points
            placed = ((placed - 50) @ turn.T * scale + 50 + np.array(shift)) * SIDE / 100
            paper.stroke(placed)
            if kind.lstrip("+") in ("dot", "fill"):
                paper.area(placed)
    return paper.finished()


def curve(kind: str, numbers: np.ndarray) -> np.ndarray:
    """Points [N, 2] of a stroke: a line, a curve, an oval or a dot."""
    if kind in ("line", "curve"):
        points = numbers.reshape(-1, 2)
        return points if kind == "line" else bend(points)
    x, y, across, high = numbers if len(numbers) == 4 else (*numbers, numbers[2])
    angle = np.linspace(-1.5, 2 * np.pi - 1.4, 40)
    return np.stack([x + across * np.cos(angle), y + high * np.sin(angle)], 1)


def cats() -> list[Image.Image]:
    """The drawings."""
    return [drawn(text, seed) for seed, text in enumerate(CATS.strip().split("\n\n"))]


@torch.inference_mode()
def translated(
    drawing: Image.Image, model: library.Translator, seed: int, reading: Reading = "sketch"
) -> Image.Image:
    """What a network makes of a drawing."""
    about = model.about
    config = model.network.config
    prepare = Preparation(
        config.inputs, reading, about.condition, about.tints, config.grain, about.margin, seed
    )
    image = torch.from_numpy(np.array(drawing.convert("RGB"))).permute(2, 0, 1)[None] / 255
    mode = Mode(about.statistics)
    made = model.network(prepare(image), mode).clamp(0, 1)[0, :, : drawing.height, : drawing.width]
    return Image.fromarray((made.permute(1, 2, 0).numpy() * 255 + 0.5).astype(np.uint8))


def show_translated(drawings: list[Image.Image], reading: Reading, across: tuple[int, int]) -> None:
    """Put drawings on the sheet that the command names, each beside what its network makes of it, if any.

    `across` is the number of pictures in a row, without a network and with one.
    """
    pictures: list[Image.Image] = []
    model = library.read_generator(library.locate_generator(sys.argv[2])) if len(sys.argv) > 2 else None
    for seed, drawing in enumerate(drawings):
        pictures.append(drawing.convert("RGB"))
        if model:
            pictures.append(translated(drawing, model, seed, reading))
    show(pictures, Path(sys.argv[1]), across[model is not None])


def main() -> None:
    """Put the drawings, and what becomes of them, on a sheet."""
    show_translated(cats(), "sketch", (6, 10))


if __name__ == "__main__":
    main()
