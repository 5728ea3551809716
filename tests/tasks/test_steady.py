"""Steady videos: shots and their statistics."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from styler.networks.layers import Moments, norms_of
from styler.networks.residual import ResidualNetwork
from styler.options.fast import FastOptions
from styler.plans import ResidualArchitecture
from styler.storage.pictures.load import load_picture
from styler.tasks import steady
from styler.tasks.fast import painter
from styler.tasks.onepass import Budget

EXAMPLES = sorted(path for path in (Path(__file__).parents[2] / "examples").glob("*.jpg"))
PHOTOS = [path for path in EXAMPLES if path.stem in {"cat", "harbour", "lake", "still_life"}]
MIX = torch.ones(1, 1)


@pytest.fixture(scope="module")
def photos():
    return [load_picture(path, long_side=320).image for path in PHOTOS]


def made():
    """A small network whose norms have random values."""
    torch.manual_seed(0)
    network = ResidualNetwork(ResidualArchitecture(width=4)).eval()
    with torch.no_grad():
        for norm in norms_of(network):
            norm.weight.normal_(1, 0.2)
            norm.bias.normal_(0, 0.2)
    return network


@pytest.fixture(scope="module")
def network():
    return made()


def cuts(frames):
    """Indices of the frames that begin a shot."""
    shot, found = None, []
    for index, image in enumerate(frames):
        shot = steady.followed(shot, image, lambda seen: ())
        found += [index] * (shot.frames == 1)
    return found


# Shots


def test_photos_are_told_apart(photos):
    assert len(photos) == 4
    for one, other in itertools.permutations(photos, 2):
        assert cuts([one, one, one, other, other]) == [0, 3]


@pytest.mark.parametrize("step", [0.02, 0.06, 0.12])
def test_a_pan_is_one_shot(photos, step):
    for photo in photos:
        width = photo.shape[-1] * 3 // 5
        places = [round(i * step * width) for i in range(int(0.6 / step))]
        assert cuts([photo[..., x : x + width] for x in places]) == [0]


@pytest.mark.parametrize("length", [4, 25])
def test_a_fade_to_black_and_back_is_one_shot(photos, length):
    levels = [1 - i / length for i in range(length)]
    for photo in photos:
        assert cuts([photo * level for level in levels + levels[::-1]]) == [0]


def test_after_black_comes_another_shot(photos):
    dark = torch.zeros_like(photos[0])
    assert cuts([photos[0], photos[0], dark, dark, photos[1], photos[1]]) == [0, 4]


def test_noise_and_zoom_are_no_cuts(photos):
    torch.manual_seed(0)
    photo = photos[0]
    height, width = photo.shape[-2:]
    zoomed = [photo[..., i * 4 : height - i * 4, i * 4 : width - i * 4] for i in range(8)]
    assert cuts([image + 0.03 * torch.randn_like(image) for image in zoomed]) == [0]


# Statistics


def follow(shot, image, value):
    """The shot one frame later, with the value for all statistics if it looks them up."""
    return steady.followed(shot, image, lambda seen: [Moments(torch.full((1, 2), value), torch.ones(1, 2))])


def used(shot):
    return float(shot.moments[0].mean[0, 0])


def test_statistics_are_looked_up_rarely_and_move_without_a_jump(photos):
    shot, seen = None, []
    for _ in range(3 * steady.EVERY):
        shot = follow(shot, photos[0], float(shot.lookups if shot else 0))
        seen.append(used(shot))
    assert shot.lookups == 3
    assert seen[: steady.EVERY] == [0.0] * steady.EVERY
    assert float(shot.aim[0].mean[0, 0]) == 1.0  # the mean of 0, 1 and 2
    assert max(b - a for a, b in itertools.pairwise(seen)) <= steady.FOLLOW


def test_a_cut_looks_up_anew_and_a_fade_soon(photos):
    shot = follow(follow(None, photos[0], 0.0), photos[1], 1.0)
    assert (shot.frames, shot.lookups, used(shot)) == (1, 1, 1.0)
    for _ in range(steady.GAP):
        assert shot.lookups == 1
        shot = follow(shot, photos[1] * 0.8, 2.0)
    assert (shot.frames, shot.lookups) == (1 + steady.GAP, 2)
    assert 1.0 < used(shot) < 2.0


def test_what_comes_out_of_the_dark_is_painted_by_its_own_statistics(photos):
    shot = follow(follow(None, torch.zeros_like(photos[0]), 0.0), photos[0], 5.0)
    assert (shot.frames, used(shot)) == (2, 5.0)


def test_a_painter_tells_the_statistics_of_a_picture_whole_and_in_strips(network, photos):
    image = photos[0][..., :161, :83]
    whole = painter(network, MIX, FastOptions())
    thin = replace(whole, budget=Budget(largest=16 * 83))
    assert thin.rows(161, 83) == 16
    right = whole(image)
    for paint in (whole, thin):
        assert torch.allclose(whole(image, paint.moments(image)), right, atol=1e-3)


def test_a_still_background_stays_when_something_passes(network, photos):
    """The statistics of the whole picture change with what passes, and with them all of it, by itself."""
    background, passing = photos[0][..., :144, :320], photos[1][..., 60:156, :64]
    paint, painted, shot = painter(network, MIX, FastOptions()), {True: [], False: []}, None
    for t in range(10):
        image = background.clone()
        image[..., 20:116, 4 + 8 * t : 68 + 8 * t] = passing
        shot = steady.followed(shot, image, paint.moments)
        painted[True].append(paint(image, shot.moments)[..., 210:])
        painted[False].append(paint(image)[..., 210:])
    flicker = {
        steady: sum(float((a - b).square().mean().sqrt()) for a, b in itertools.pairwise(frames))
        for steady, frames in painted.items()
    }
    assert flicker[True] < 0.7 * flicker[False]


def test_a_shot_is_saved_and_restored_whole(network, photos):
    """After its first frame, when its aim is what it uses: files refuse tensors that share memory."""
    shot = steady.followed(None, photos[0], painter(network, MIX, FastOptions()).moments)
    assert shot.aim[0].mean is shot.moments[0].mean
    again = steady.from_tensors(load(save(steady.to_tensors(shot))), torch.device("cpu"))
    assert steady.to_tensors(again).keys() == steady.to_tensors(shot).keys()
    pairs = zip(steady.to_tensors(again).values(), steady.to_tensors(shot).values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    kept = ("frames", "lookups", "usual", "place")
    assert [getattr(again, name) for name in kept] == [getattr(shot, name) for name in kept]


# Movement


def window(photo, down, right, height=144, width=224):
    """A part of a photo that moves by whole and half pixels: from the photo at twice its size."""
    large = torch.nn.functional.interpolate(photo, scale_factor=2, mode="bicubic").clamp(0, 1)
    top, left = round(2 * down), round(2 * right)
    part = large[..., top : top + 2 * height, left : left + 2 * width]
    return torch.nn.functional.avg_pool2d(part, 2)


@pytest.mark.parametrize("way", [(3, 5), (0.5, -2.5), (-9, 14), (0, 1)])
def test_the_movement_of_a_pan_is_measured_between_pixels(photos, way):
    for photo in photos:
        one, other = window(photo, 20, 30), window(photo, 20 - way[0], 30 - way[1])
        found = steady.movement(*(image.mean(1)[0] * 255 for image in (one, other)))
        assert found == pytest.approx(way, abs=0.2)


def test_what_does_not_move_as_a_whole_stands_still(photos):
    torch.manual_seed(0)
    gray, other = (photo.mean(1)[0, :144, :224] * 255 for photo in photos[:2])
    passing = [gray.clone(), gray.clone()]
    passing[0][20:116, 30:94] = other[:96, :64]
    passing[1][20:116, 40:104] = other[:96, :64]
    noisy = [gray + torch.randn_like(gray) for _ in range(2)]
    blank = torch.full_like(gray, 128)
    for one, two in ([gray, gray], passing, noisy, [blank, blank], [gray, other], [gray, gray[:99]]):
        assert steady.movement(one, two) == (0, 0)


def test_the_grain_moves_with_the_picture_and_begins_anew_after_a_cut(photos):
    shot, places = None, []
    frames = [window(photos[1], 20, 20 + 3 * t) for t in range(6)]
    for image in [*frames, *frames[:1] * 2, *photos[:1] * 2]:
        shot = steady.followed(shot, image, lambda seen: ())
        places.append(shot.place)
    assert places[5] == pytest.approx((0, -15), abs=0.5)
    assert places[7] == pytest.approx((0, 0), abs=1) and places[-1] == (0, 0)


def test_in_a_pan_a_grainy_network_paints_what_it_painted_before(photos):
    torch.manual_seed(0)
    network = ResidualNetwork(ResidualArchitecture(width=4, grain=0.1)).eval()
    frames = [window(photos[1], 24, 64 - 4 * t) for t in range(5)]
    paint, shot, painted = painter(network, MIX, FastOptions()), None, {True: [], False: []}
    for image in frames:
        shot = steady.followed(shot, image, paint.moments)
        for moving, place in ((True, shot.place), (False, (0.0, 0.0))):
            painted[moving].append(paint(image, shot.moments, place)[..., 48:-48])
    flicker = {
        moving: sum(float((a[..., :-4] - b[..., 4:]).abs().mean()) for a, b in itertools.pairwise(frames))
        for moving, frames in painted.items()
    }
    assert flicker[True] < 0.3 * flicker[False]


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_grain_lies_on_the_picture_at_the_size_at_which_it_is_painted(scale):
    network = ResidualNetwork(ResidualArchitecture(width=4, grain=0.1)).eval()
    paint, image = painter(network, MIX, FastOptions(style_scale=scale)), torch.zeros(1, 3, 64, 96)
    still, moved = paint.prepared(image), paint.prepared(image, (4.0, -6.0))
    step = (round(4 / scale), round(-6 / scale))
    assert torch.equal(moved, still.roll(step, (2, 3))) and not torch.equal(moved, still)
