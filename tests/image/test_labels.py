"""Label pictures: pure colors of labels, of pictures that were smoothed, compressed, resized or cut out."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from styler.image.palette import Labels

FACADE = {
    "background": "#0000aa",
    "wall": "#0000ff",
    "window": "#0055ff",
    "door": "#00aaff",
    "cornice": "#00ffff",
    "sill": "#55ffaa",
    "balcony": "#aaff55",
    "blind": "#ffff00",
    "deco": "#ffaa00",
    "molding": "#ff5500",
    "pillar": "#ff0000",
    "shop": "#aa0000",
}
"""As in pix2pix's facades: the blend of two is a third."""
LABELS = Labels.of(FACADE)
SIDE = 256


def house(scale: int) -> Image.Image:
    """A facade whose edges lie between the pixels of SIDE, drawn `scale` times as large."""
    page = Image.new("RGB", (SIDE * scale, SIDE * scale), FACADE["background"])
    draw = ImageDraw.Draw(page)

    def box(name: str, left: float, top: float, right: float, bottom: float) -> None:
        corners = [round(scale * value) for value in (left, top)]
        draw.rectangle(
            [*corners, *(round(scale * value) - 1 for value in (right, bottom))], fill=FACADE[name]
        )

    box("wall", 20.3, 15.7, 235.5, 250)
    box("cornice", 14.5, 10.3, 241.5, 22.3)
    for column in range(4):
        for row in range(3):
            x, y = 34.3 + 50.2 * column, 34.6 + 70.4 * row
            box("window", x, y, x + 26.4, y + 36.7)
            box("sill", x - 2.3, y + 36.7, x + 28.6, y + 41)
            if (column + row) % 2:
                box("blind", x, y, x + 26.4, y + 10.6)
    draw.ellipse([scale * value for value in (110, 170, 146, 206)], fill=FACADE["door"])
    draw.line([scale * value for value in (22, 230, 120, 90)], fill=FACADE["pillar"], width=6 * scale)
    return page


def image_of(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)[None].float() / 255


def indices(image: Tensor) -> np.ndarray:
    """Labels [H, W] of an Image that has no other colors."""
    same = (image[0, None] - LABELS.colors[:, :, None, None]).abs().amax(1) < 1e-6
    assert same.any(0).all()
    return same.int().argmax(0).numpy()


def pure(picture: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
    image = image_of(picture)
    return indices(LABELS.pure(image, None, size or (image.shape[2], image.shape[3]))[0])


def smoothed() -> Image.Image:
    return house(4).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def compressed() -> Image.Image:
    house(1).save(file := io.BytesIO(), "JPEG", quality=75)
    return Image.open(io.BytesIO(file.getvalue()))


def off() -> Image.Image:
    """In the colors of another program."""
    return house(1).point([round(12 + level * 0.93) for level in range(256)] * 3)


@pytest.mark.parametrize(
    ("make", "wrong", "stray"),
    [(smoothed, 0.025, 0.0005), (compressed, 0.03, 0.01), (off, 0.001, 0.0)],
    ids=["smoothed", "JPEG", "other colors"],
)
def test_few_pixels_get_another_label(make, wrong, stray):
    """And hardly one gets a label that none of its neighbors has, as the lines between two would be."""
    right = np.array(Image.fromarray(pure(house(4)).astype(np.uint8)).resize((SIDE, SIDE), 0))
    right = right if make is smoothed else pure(house(1))
    found = pure(make())
    assert (found != right).mean() <= wrong
    around = np.pad(right, 1, mode="edge")
    near = [around[y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)]
    assert (~np.any([found == one for one in near], 0)).mean() <= stray


def test_an_edge_that_is_smoothed_to_a_label_is_none():
    """The row between two of 256 times 2/3 is a door's color, but what is beside it rings."""
    page = Image.new("RGB", (160, 120), FACADE["wall"])
    page.paste(FACADE["cornice"], (22, 22, 110, 61))
    page = page.resize((53, 40), Image.Resampling.LANCZOS)
    assert (image_of(page) == LABELS.colors[3, :, None, None]).all(1).any()
    assert set(np.unique(pure(page))) == {1, 4}


def test_a_picture_in_pure_colors_stays_as_it_is():
    """To the last pixel, dots and thin lines too."""
    labels = np.random.default_rng(0).integers(0, len(FACADE), (20, 30))
    image = LABELS.colors[torch.from_numpy(labels)].permute(2, 0, 1)[None]
    found, share = LABELS.pure(image, None, (20, 30))
    assert torch.equal(found, image) and share == 1


def test_no_label_is_made_between_two_at_another_size():
    page = Image.new("RGB", (90, 60), FACADE["wall"])
    page.paste(FACADE["cornice"], (31, 17, 62, 44))
    for size in ((25, 37), (60, 90), (131, 197)):
        found = pure(page, size)
        assert found.shape == size and set(np.unique(found)) == {1, 4}


def test_what_is_transparent_is_ground():
    image, alpha = image_of(Image.new("RGB", (30, 20), FACADE["cornice"])), torch.ones(1, 1, 20, 30)
    image[..., :10], alpha[..., :10] = 1, 0.2  # white, which is no label
    found, share = LABELS.pure(image, alpha, (20, 30))
    assert share == 1 and (indices(found)[:, :10] == 0).all() and (indices(found)[:, 10:] == 4).all()


def test_the_share_of_labels_tells_a_photo():
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    photo = Image.fromarray(noise).resize((90, 70), Image.Resampling.BICUBIC)
    assert LABELS.pure(image_of(photo), None, (70, 90))[1] < 0.2
    assert all(
        LABELS.pure(image_of(page), None, (SIDE, SIDE))[1] > 0.8 for page in (smoothed(), compressed())
    )
