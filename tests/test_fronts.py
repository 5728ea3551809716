"""The rendered house fronts of the examples, and their labels: what a translator of labels is trained on."""

import sys

import numpy as np
import pytest
from PIL import Image, ImageColor

pytestmark = pytest.mark.usefixtures("examples")
SIDE = 96


def colors_of(labels):
    return {tuple(color) for color in np.asarray(labels).reshape(-1, 3)}


def where(labels, kind):
    """The pixels of a kind."""
    from front_plans import LABELS

    return (np.asarray(labels) == ImageColor.getrgb(LABELS[kind])).all(2)


def test_a_seed_gives_the_same_front_and_two_seeds_differ():
    from render_fronts import render

    one, again, other = (render(seed, SIDE) for seed in (3, 3, 4))
    assert [picture.size for picture in one] == [(SIDE, SIDE)] * 2
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert all(
        np.abs(np.asarray(a, float) - np.asarray(b, float)).mean() > 10
        for a, b in zip(one, other, strict=True)
    )


def test_labels_are_of_the_palette_alone_and_every_kind_comes():
    from front_plans import LABELS
    from render_fronts import render

    palette = {ImageColor.getrgb(color) for color in LABELS.values()}
    assert len(palette) == len(LABELS)
    met = set.union(*(colors_of(render(seed, SIDE)[0]) for seed in range(24)))
    assert met == palette


def test_parts_look_like_what_their_labels_say():
    """Bricks are redder than stone, leaves green, the sky bright, and panes darker than walls."""
    from render_fronts import render

    shown = {kind: [] for kind in ("brick", "stone", "plants", "sky", "window", "wall")}
    for seed in range(16):
        labels, front = render(seed, SIDE)
        for kind, found in shown.items():
            if (mask := where(labels, kind)).sum() > 40:
                found.append(np.asarray(front, float)[mask].mean(0) / 255)
    means = {kind: np.mean(found, 0) for kind, found in shown.items()}
    assert means["brick"][0] - means["brick"][2] > 0.1 > means["stone"][0] - means["stone"][2]
    assert means["plants"][1] > max(means["plants"][0], means["plants"][2])
    assert means["sky"].mean() > 0.5 and means["wall"].mean() > means["window"].mean() + 0.15


def test_pairs_can_be_trained_on_and_name_their_labels(tmp_path, monkeypatch):
    import render_fronts
    from front_plans import LABELS

    from styler.options.translate import TrainTranslateOptions
    from styler.storage.datasets.pairs import open_pairs

    words = ["render_fronts.py", "3", "--first", "30", "-o", str(tmp_path), "--size", "64"]
    monkeypatch.setattr(sys, "argv", words)
    render_fronts.main()
    pairs = open_pairs(str(tmp_path), TrainTranslateOptions(crop=64, jitter=1, mirror=False))
    assert (len(pairs), pairs.held_count, pairs.names) == (2, 1, ("labels", "front"))
    assert pairs.labels == LABELS
    (held,) = pairs.held
    both = Image.open(tmp_path / "val" / "00031.png")
    inputs = held.inputs[0].permute(1, 2, 0).numpy()
    assert np.abs(inputs - np.asarray(both, float)[:, :64] / 255).max() < 0.01


def test_drawings_that_no_renderer_made_are_twenty_of_the_palette():
    import draw_fronts
    from front_plans import LABELS

    drawings = draw_fronts.fronts()
    assert len({drawing.tobytes() for drawing in drawings}) == 20
    palette = {ImageColor.getrgb(color) for color in LABELS.values()}
    assert all(len(met) > 1 and met <= palette for met in map(colors_of, drawings))
