"""Edges of photos against what is known of them, and drawings of any kind cleaned to one-pixel lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage
from torch import Tensor

from styler.errors import InputError
from styler.image import edges
from styler.image.color import luma
from styler.image.edges import Edges, clean, draw, edges_for, thinned
from styler.options.translate import EdgeOptions

EIGHT = np.ones((3, 3), bool)


def image(values: np.ndarray) -> Tensor:
    """[H, W] or [H, W, 3] as an Image [1, 3, H, W]."""
    color = values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2)
    return torch.from_numpy(color.astype(np.float32)).permute(2, 0, 1)[None].contiguous()


def disk(side: int = 96, radius: float = 30) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return np.clip(radius - np.hypot(y, x) + 0.5, 0, 1)


def marks(drawn: Tensor) -> np.ndarray:
    assert drawn.dtype == torch.float32 and set(drawn.unique().tolist()) <= {0.0, 1.0}
    return drawn[0, 0].numpy() == 0


def far(one: np.ndarray, other: np.ndarray) -> float:
    """The largest distance in pixels of one set of pixels from the other."""
    return float(ndimage.distance_transform_edt(~other)[one].max())


# Of photos


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_a_disk_has_one_closed_thin_line_where_it_ends(sigma):
    found = marks(draw(image(disk()), Edges(), sigma))
    y, x = np.nonzero(found) - np.float64(95 / 2)
    assert np.abs(np.hypot(y, x) - 30).max() < 1.5
    count = ndimage.label(~found)[1]  # the background does not pass an eight-connected closed line
    assert ndimage.label(found, EIGHT)[1] == 1 and count == 2
    assert 2 * np.pi * 30 * 0.85 < found.sum() < 2 * np.pi * 30 * 1.1  # one pixel wide


@pytest.mark.parametrize("contrast", [1.0, 0.3, 0.06])
def test_contrast_does_not_matter(contrast):
    whole = draw(image(disk()), Edges(), 2.0)
    faint = draw(image(0.5 + (disk() - 0.5) * contrast), Edges(), 2.0)
    assert far(marks(faint), marks(whole)) <= 1 and far(marks(whole), marks(faint)) <= 1


def test_colors_of_one_luma_have_an_edge():
    red, green = (
        np.array([0.8, 0.2, 0.2]),
        np.array([0.8 * 0.2126 / 0.7152, 0.2 + 0.6 * 0.2126 / 0.7152, 0.2]),
    )
    green[0] = 0.2
    field = np.where(np.arange(64)[None, :, None] < 32, red, green) * np.ones((64, 1, 1))
    assert luma(image(field)).std() < 0.01
    assert marks(draw(image(field), Edges(), 2.0)).any(1).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_flat_pictures_have_no_edges(value):
    assert not marks(draw(image(np.full((40, 50), value)), Edges(shortest=0), 1.0)).any()
    noise = value + 0.004 * np.random.default_rng(0).standard_normal((40, 50))  # as JPEG makes
    assert not marks(draw(image(noise), Edges(shortest=0), 2.0)).any()


def test_a_drawing_of_few_edges_has_them_all():
    """Nine tenths of it being flat, the percentiles are nothing."""
    found = marks(draw(image(disk(200, 6)), Edges(), 1.0))
    assert ndimage.label(~found)[1] == 2


def test_borders_are_no_edges():
    ramp = np.linspace(0, 1, 64)[None] * np.ones((48, 1))
    found = marks(draw(image(ramp), Edges(shortest=0), 2.0))
    assert not found[:, :4].any() and not found[:, -4:].any() and not found[[0, -1]].any()


def test_short_parts_are_left_out():
    two = np.maximum(disk(96, 30), np.roll(disk(96, 2), (44, 44), (0, 1)))
    with_all, without = (marks(draw(image(two), Edges(shortest=n), 1.0)) for n in (0, 40))
    assert ndimage.label(with_all, EIGHT)[1] == 2 and ndimage.label(without, EIGHT)[1] == 1


def test_contours_outlast_texture():
    """Of a disk on a ground of noise as strong as itself, the line is found and little else."""
    noisy = np.random.default_rng(0).uniform(-0.5, 0.5, (160, 160)) * 0.9 + 0.4 * disk(160, 50) + 0.3
    found = marks(draw(image(noisy), Edges(shortest=20), 3.0))
    y, x = np.nonzero(found) - np.float64(159 / 2)
    assert np.mean(np.abs(np.hypot(y, x) - 50) < 5) > 0.7


def test_turned_pictures_have_turned_edges():
    picture = np.random.default_rng(1).random((40, 56))
    picture = ndimage.gaussian_filter(picture, 3)
    found = marks(draw(image(picture), Edges(shortest=0), 1.0))
    turned = marks(draw(image(picture.T.copy()), Edges(shortest=0), 1.0))
    assert far(found.T, turned) < 3 and far(turned, found.T) < 3  # ties aside


@settings(max_examples=8, deadline=None)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 30)), elements=st.floats(0, 1, width=32)),
    st.floats(0.3, 9),
)
def test_any_picture_has_edges_of_its_size(values, sigma):
    assert draw(image(values), Edges(), sigma).shape == (1, 1, *values.shape)
    assert clean(image(values)).shape == (1, 1, *values.shape)


def test_weak_is_not_over_strong():
    with pytest.raises(InputError, match="--weak is 95"):
        edges_for(EdgeOptions(weak=95))


# Of drawings


def sketch(width: int, ink: int = 0, paper: int = 255) -> np.ndarray:
    """A house, anti-aliased, in strokes of some pixels; [H, W] in [0, 1]."""
    big = Image.new("L", (4 * 160, 4 * 120), paper)
    pen = ImageDraw.Draw(big)
    corners = [(162, 402), (162, 202), (322, 82), (482, 202), (482, 402)]  # the middles of pixels
    pen.line([*corners, corners[0]], ink, 4 * width, "curve")
    pen.line([corners[1], corners[3]], ink, 4 * width)
    return np.asarray(big.resize((160, 120), Image.Resampling.BOX), np.float64) / 255


def lamp(shape: tuple[int, int]) -> np.ndarray:
    y, x = (np.linspace(-1, 1, n) for n in shape)
    return 0.75 + 0.15 * x[None] - 0.1 * y[:, None] ** 2


THIN = sketch(1)
KINDS = {
    "ink": THIN,
    "thick": sketch(5),
    "pencil on gray": sketch(2, 130, 190),
    "chalk": 1 - sketch(3),
    "lamp": sketch(2) * lamp(THIN.shape),
    "faint chalk": sketch(2, 90, 30),
    "grainy": np.clip(sketch(2, 60, 220) + 0.02 * np.random.default_rng(0).standard_normal(THIN.shape), 0, 1),
    "blurred": ndimage.gaussian_filter(sketch(3), 1.5),
}


@pytest.mark.parametrize("kind", KINDS)
def test_drawings_of_any_kind_become_the_same_thin_lines(kind):
    found, wanted = marks(clean(image(KINDS[kind]))), THIN < 0.5
    assert far(found, wanted) <= 4 and far(wanted, found) <= 4
    assert ndimage.label(found, EIGHT)[1] == 1
    assert ndimage.label(~found)[1] == 3  # roof, wall, ground
    assert found.sum() < 1.15 * THIN.size * (1 - THIN.mean())


def test_gray_sketches_may_have_one_channel():
    picture = image(THIN)
    assert torch.equal(clean(picture), clean(picture[:, :1]))


def test_blank_paper_stays_blank():
    for paper in (0.0, 0.4, 1.0):
        grain = paper + 0.01 * np.random.default_rng(0).standard_normal((60, 80))
        assert not marks(clean(image(grain.clip(0, 1)))).any()


def test_specks_are_left_out():
    speckled = THIN.copy()
    speckled[10:12, 10:12] = 0
    assert not marks(clean(image(speckled)))[5:20, 5:20].any()


def test_filled_shapes_become_their_outline():
    found = marks(clean(image(1 - disk(120, 40))))
    y, x = np.nonzero(found) - np.float64(119 / 2)
    assert np.abs(np.hypot(y, x) - 40).max() < 2.5 and ndimage.label(~found)[1] == 2


def test_what_is_clean_stays_as_it_is():
    once = clean(image(KINDS["thick"]))
    again = marks(clean(once))
    assert far(again, marks(once)) <= 1.5 and far(marks(once), again) <= 1.5


def test_a_sketch_looks_like_edges():
    """A pixel of either has about two neighbors."""
    drawn, cleaned = marks(draw(image(disk()), Edges(), 2.0)), marks(clean(image(KINDS["thick"])))
    for found in (drawn, cleaned):
        neighbors = ndimage.convolve(found.astype(int), EIGHT.astype(int), mode="constant")[found] - 1
        assert 1.8 < neighbors.mean() < 2.3


@settings(max_examples=25, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24))))
def test_thinning_keeps_what_is_connected(pixels):
    smooth = ndimage.binary_dilation(pixels & (np.arange(pixels.size).reshape(pixels.shape) % 3 == 0))
    thin = thinned(smooth)
    assert not (thin & ~smooth).any()
    assert ndimage.label(thin, EIGHT)[1] == ndimage.label(smooth, EIGHT)[1]
    holes, before = (ndimage.label(np.pad(~part, 1, constant_values=True))[1] for part in (thin, smooth))
    assert holes == before
    assert np.array_equal(thinned(thin), thin)


def test_removable_pixels_are_simple():
    """For all 256 neighborhoods, against counting the parts with and without the middle."""
    for code in range(256):
        around = np.zeros((3, 3), bool)
        for bit, (y, x) in enumerate(edges.NEIGHBORS):
            around[1 + y, 1 + x] = code >> bit & 1
        parts = ndimage.label(around, EIGHT)[1]
        cross = ~around[1, [0, 2]].all() or ~around[[0, 2], 1].all()
        wanted = parts == 1 and bool(cross) and around.sum() >= 2
        assert edges.REMOVABLE[code] == wanted, bin(code)


def test_blurred_paper_shadows_are_no_lines():
    shadow = Image.fromarray((sketch(2) * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.5))
    values = np.asarray(shadow, np.float64) / 255 * lamp(THIN.shape)
    found = marks(clean(image(values)))
    assert far(found, THIN < 0.5) <= 3
