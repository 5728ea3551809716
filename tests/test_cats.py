"""The rendered cats of the examples, and the sketches of them: what a network is trained on."""

import dataclasses
import sys

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.usefixtures("examples")
SIDE = 96


def pixels(picture):
    return np.asarray(picture, float) / 255


def drawn(seed, **habits):
    """A sketch of the cat of a seed by a careful hand, but for `habits`."""
    import cat_shapes
    import cat_sketches

    steady = {
        "pen": 2.0,
        "pressure": 0.0,
        "tremble": 0.0,
        "drift": 0.0,
        "wave": 0.0,
        "gaps": 0.0,
        "twice": 0.0,
    }
    draw = np.random.default_rng(seed)
    way = dataclasses.replace(cat_sketches.hand(draw), **{**steady, "corners": 0, **habits})
    return 1 - pixels(cat_sketches.sketch(cat_shapes.shape(seed), draw, way=way))


def test_a_seed_gives_the_same_picture_and_two_seeds_differ():
    from render_cats import render

    one, again, other = (pixels(render(seed, SIDE)) for seed in (3, 3, 4))
    assert one.shape == (SIDE, SIDE, 3) and np.array_equal(one, again)
    assert np.abs(one - other).mean() > 0.05


@pytest.mark.parametrize("seed", range(6))
def test_pupils_are_dark_where_the_shape_has_them_and_irises_are_colored(seed):
    """A drawing of the shape fits the picture."""
    import cat_shapes
    from cat_sketches import placed
    from render_cats import render

    cat, picture = cat_shapes.shape(seed), pixels(render(seed, 2 * SIDE))
    for side in (-1.0, 1.0):
        x, y = placed(cat, cat_shapes.pupil_curve(cat, side), 2 * SIDE).mean(0).astype(int)
        assert picture[y : y + 2, x - 1 : x + 1].mean() < 0.25
        eye = placed(cat, cat_shapes.eye_curve(cat, side), 2 * SIDE)
        left, top, right, bottom = *eye.min(0).astype(int), *eye.max(0).astype(int)
        colors = picture[top:bottom, left:right]
        assert (colors.max(2) - colors.min(2)).max() > 0.25


def test_every_coat_comes_and_no_two_of_the_offered_ones_have_a_color_in_common():
    from cat_shapes import COATS
    from render_cats import coat, tints

    assert {coat(seed).kind for seed in range(80)} == set(COATS)
    assert all(0 <= x <= 1 for seed in range(80) for x in coat(seed).tint)
    offered = np.array(tints())
    apart = np.abs(offered[:, None] - offered[None]).max(2) + np.eye(len(offered))
    assert apart.min() > 0.05


def test_sketches_are_black_on_white_whatever_the_hand():
    import cat_shapes
    import cat_sketches

    sketches = [
        1 - pixels(cat_sketches.sketch(cat_shapes.shape(seed), np.random.default_rng(seed), SIDE))
        for seed in range(60)
    ]
    shares = np.array([sketch.mean() for sketch in sketches])
    assert shares.min() > 0.004 and shares.max() < 0.4 and all(sketch.max() > 0.6 for sketch in sketches)
    corners = [sketch[-4:, SIDE // 2].max() for sketch in sketches]
    assert np.mean(corners) < 0.1  # paper


def test_a_head_and_its_ears_are_within_the_frame():
    import cat_shapes
    from cat_sketches import placed

    for seed in range(40):
        cat = cat_shapes.shape(seed)
        eyes = [placed(cat, cat_shapes.eye_curve(cat, side), 1) for side in (-1.0, 1.0)]
        assert all(eye.min() > 0.05 and eye.max() < 0.95 for eye in eyes)
        rest = [cat_shapes.head_curve(cat), *(cat_shapes.ear_curve(cat, side) for side in (-1.0, 1.0))]
        assert all(placed(cat, curve, 1).min() > -0.08 for curve in rest)
        assert all(placed(cat, curve, 1).max() < 1.08 for curve in rest)


def test_habits_show_in_a_sketch():
    plain = drawn(1, whiskers="none", body="none", stripes=0)
    assert drawn(1, whiskers="none", body="none", stripes=0, pen=5.0).sum() > 1.6 * plain.sum()
    assert drawn(1, whiskers="curves", body="none", stripes=0).sum() > 1.05 * plain.sum()
    assert not np.array_equal(drawn(1, whiskers="none", body="none", stripes=0, eyes="dots"), plain)


def test_a_hand_that_leaves_gaps_lifts_the_pen():
    import cat_sketches

    way = dataclasses.replace(cat_sketches.hand(np.random.default_rng(0)), corners=0)
    line = np.stack([np.linspace(0, 200, 50), np.full(50, 30.0)], 1)
    parts = {
        gaps: cat_sketches.drawn_by(dataclasses.replace(way, gaps=gaps), line, 1.0, np.random.default_rng(2))
        for gaps in (0.0, 1.0)
    }
    assert len(parts[0.0]) == 1 and len(parts[1.0]) == 2
    assert parts[1.0][1][0][0] - parts[1.0][0][-1][0] > 3


def test_pairs_can_be_trained_on(tmp_path, monkeypatch):
    import pair_cats
    import render_cats

    from styler.options.translate import TrainTranslateOptions
    from styler.storage.datasets.pairs import open_pairs

    for words in (["render_cats.py", "3", "--first", "30", "-o", tmp_path / "cats", "--size", "64"],):
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        render_cats.main()
    monkeypatch.setattr(sys, "argv", ["pair_cats.py", str(tmp_path / "cats"), "-o", str(tmp_path / "pairs")])
    pair_cats.main()
    pairs = open_pairs(str(tmp_path / "pairs"), TrainTranslateOptions(crop=64, jitter=1, mirror=False))
    assert (len(pairs), pairs.held_count, pairs.names) == (4, 1, ("drawing", "cat"))
    assert len(pairs.tints) == len(render_cats.tints()) and pairs.condition["name"] == "edges"
    (held,) = pairs.held
    paper = held.inputs[0].flatten(1).median(1).values.numpy()
    assert np.abs(paper - (0.6 + 0.4 * np.array(render_cats.coat(31).tint))).max() < 0.06
    cat = Image.open(tmp_path / "cats" / "00031.png")
    assert np.abs(held.targets[0].permute(1, 2, 0).numpy() - pixels(cat)).max() < 0.01


def test_drawings_that_no_renderer_made_are_thirty_different_ones():
    import draw_cats

    drawings = [pixels(drawing) for drawing in draw_cats.cats()]
    assert len(drawings) == 30 and all(drawing.shape == (256, 256) for drawing in drawings)
    ink = np.array([np.abs(drawing - np.median(drawing)).mean() for drawing in drawings])
    assert ink.min() > 0.005 and ink.max() < 0.2
    assert all(np.abs(a - b).mean() > 0.003 for n, a in enumerate(drawings) for b in drawings[:n])
    again = pixels(draw_cats.cats()[4])
    assert np.array_equal(again, drawings[4])


def test_the_room_of_a_dark_cat_is_bright():
    from render_cats import DARK, coat, render

    dark = [seed for seed in range(60) if coat(seed).base.mean() < DARK]
    assert len(dark) > 5
    for seed in dark:
        assert pixels(render(seed, SIDE))[: SIDE // 12].mean() > 0.4, seed
