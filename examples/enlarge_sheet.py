"""Remake the sheet and the video of docs/enlarge.md: made four times smaller, and enlarged again.

    python examples/enlarge_sheet.py [FOLDER]

The pictures are styler's own, and none of them was trained on. Takes half a minute.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image, ImageSequence
from torch import Tensor

from styler import load, run, save
from styler.image.levels import to_pixels
from styler.image.size import resize
from styler.jobs.enlarge import enlarge, open_networks
from styler.options.enlarge import EnlargeOptions
from styler.storage.pictures.sheet import sheet
from styler.tasks.enlarge.enlarger import STORED

HERE = Path(__file__).parent
PICTURES = {"cat": (0.35, 0.3), "harbour": (0.3, 0.35), "../styles/waves": (0.4, 0.4)}
"""Picture, and where the corner of the square is, as shares of its height and width."""
DETAILS = (0.0, 0.5, 1.0)
SIDE, FACTOR = 256, 4
FRAMES, SMALL, STEP = 12, (60, 80), 1
"""Frames of the video, their height and width in pixels, and how far each is from the one before."""


def main() -> None:
    """Enlarge, and put the pictures together."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    columns = ["bicubic", *(f"--detail {detail:g}" for detail in DETAILS), "as it was"]
    rows = [squares(*each) for each in PICTURES.items()]
    save(
        folder / "enlarge_sheet.jpg",
        sheet(rows, column_labels=columns, cell=SIDE),
        quality=80,
        overwrite=True,
    )
    video(folder / "enlarge_video.webp")


def squares(name: str, corner: tuple[float, float]) -> list[Tensor]:
    """A part of a picture: enlarged in each way, and as it was."""
    image = load(HERE / f"{name}.jpg", long_side=768).image
    height, width = (side // FACTOR for side in image.shape[-2:])
    small, size = resize(image, (height, width)), (FACTOR * height, FACTOR * width)
    with torch.inference_mode():
        ours = [network(detail)(small, STORED).clamp(0, 1) for detail in DETAILS]
    y, x = (int(share * side) for share, side in zip(corner, image.shape[-2:], strict=True))
    return [
        each[..., y : y + SIDE, x : x + SIDE] for each in (resize(small, size), *ours, resize(image, size))
    ]


def network(detail: float) -> torch.nn.Module:
    """The network of a level of detail."""
    return open_networks(EnlargeOptions(detail=detail), torch.device("cpu")).networks[FACTOR]


def video(output: Path) -> None:
    """A small video that moves over a picture, enlarged: bicubic, and by `styler enlarge`, side by side."""
    image = resize(load(HERE / "lake.jpg", long_side=480).image, (120, 160))
    frames = [image[..., 30 : 30 + SMALL[0], 20 + i * STEP : 20 + i * STEP + SMALL[1]] for i in range(FRAMES)]
    pictures = [Image.fromarray(to_pixels(frame)) for frame in frames]
    with TemporaryDirectory() as folder:
        small, large = (str(Path(folder) / name) for name in ("small.webp", "large.webp"))
        written(small, pictures, lossless=True)
        run(enlarge([small], large, EnlargeOptions()))
        with Image.open(large) as made:
            ours = [frame.convert("RGB") for frame in ImageSequence.Iterator(made)]
    written(str(output), [beside(*pair) for pair in zip(pictures, ours, strict=True)], quality=80)


def written(path: str, frames: Sequence[Image.Image], **how: int) -> None:
    """Write an animation that runs for ever."""
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=120, loop=0, **how)


def beside(small: Image.Image, ours: Image.Image) -> Image.Image:
    """A frame enlarged bicubic, and ours at its right."""
    frame = Image.new("RGB", (2 * ours.width + 8, ours.height), "white")
    frame.paste(small.resize(ours.size, Image.Resampling.BICUBIC), (0, 0))
    frame.paste(ours, (ours.width + 8, 0))
    return frame


if __name__ == "__main__":
    main()
