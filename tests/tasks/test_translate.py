"""Translating Images: what the network is given, samples, statistics."""

import pytest
import torch
from nets import picture, small

from styler.networks.layers import Mode
from styler.tasks.onepass import GRAINING
from styler.tasks.translate import PREPARING, Preparation, Spread, is_drawn, samples, translator

AS_IS, MODE = Preparation(3), Mode()


def worker(mode=MODE, prepare=AS_IS, **network):
    return translator(small(**network).eval(), mode.statistics, mode.dropout, prepare)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1), (1, 1)])
def test_gray_goes_in_and_comes_out_in_three_channels(inputs, outputs):
    translate = worker(prepare=Preparation(inputs), inputs=inputs, outputs=outputs)
    image = picture(24, 32)
    found = translate(image)
    assert found.shape == image.shape and found.is_contiguous()
    assert translate.prepare(image).shape == (1, inputs, 24, 32)
    assert outputs == 3 or torch.equal(found[:, 0], found[:, 2])


def test_a_condition_is_the_same_each_time():
    prepare = Preparation(
        1, "photo", {"name": "edges", "sigma": "1-3", "strong": 90.0, "weak": 75.0, "shortest": 4}
    )
    image = picture(40, 40)
    image[..., :20] *= 0.2
    assert torch.equal(prepare(image), prepare(image))
    assert prepare(image).shape == (1, 1, 40, 40) and prepare(image).unique().tolist() == [0.0, 1.0]


def test_a_drawing_is_cleaned_and_goes_into_all_channels():
    drawing = torch.ones(1, 3, 40, 40)
    drawing[..., 10:12, 5:35] = 0.3
    x = Preparation(3, "sketch")(drawing)
    assert x.shape == drawing.shape and set(x.unique().tolist()) == {0.0, 1.0} and is_drawn(x)
    assert not is_drawn(picture(20, 20))


def test_what_is_prepared_counts_as_work():
    drawn = worker(prepare=Preparation(3, "photo", {"name": "edges"}))
    assert drawn.needed(100, 100, 16) == max(worker().needed(100, 100, 16), PREPARING * 100 * 100)
    assert drawn.needed(100, 100, 16) > worker().needed(100, 100, 16)


# Paper

TINTS = ((1.0, 0.5, 0.0), (0.0, 0.0, 1.0))


def test_the_seed_chooses_the_paper():
    drawing = torch.ones(1, 3, 20, 20)
    drawing[..., 5, :] = 0
    one, other, again = (Preparation(3, "picture", None, TINTS, seed=seed)(drawing) for seed in (0, 1, 2))
    assert one[0, :, 0, 0].tolist() == pytest.approx([1.0, 0.8, 0.6]) and one[0, :, 5, 5].tolist() == [
        0,
        0,
        0,
    ]
    assert other[0, :, 0, 0].tolist() == pytest.approx([0.6, 0.6, 1.0]) and torch.equal(one, again)


def test_a_filled_drawing_has_its_own_paper():
    drawing = torch.ones(1, 3, 40, 40)
    drawing[0, :, 10:30, 10:30] = torch.tensor([0.2, 0.6, 0.2])[:, None, None]
    drawing[..., 9, 9:31] = 0
    prepare = Preparation(3, "sketch", None, TINTS)
    x = prepare(drawing)
    torch.testing.assert_close(x[0, :, 0, 0], torch.tensor([0.68, 0.84, 0.68]))
    assert torch.equal(prepare.sown(prepare.drawn(drawing), 1), x)
    assert torch.equal(Preparation(3, "picture", None, TINTS)(drawing), drawing)


def test_without_tints_paper_is_as_it_is():
    drawing = torch.ones(1, 3, 20, 20)
    drawing[:, 0, 5:15] = 0
    assert torch.equal(AS_IS(drawing), drawing)


# Grain


def test_a_network_of_some_grain_sees_gray_noise_by_the_seed():
    drawing = torch.ones(1, 3, 64, 64)
    one, again, other = (Preparation(3, grain=0.04, seed=seed)(drawing) - drawing for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.allclose(one, other, atol=0.01)
    assert torch.equal(one[:, 0], one[:, 2]) and one.std() == pytest.approx(
        0.04 * (1 + 1.5**2) ** 0.5, rel=0.1
    )
    ahead = Preparation(3, grain=0.04, seed=1)
    assert torch.equal(ahead.sown(drawing, 1) - drawing, other)


def test_grain_comes_to_paper_that_is_chosen_and_to_paper_of_the_drawing():
    drawing = torch.ones(1, 3, 40, 40)
    filled = drawing.clone()
    filled[0, :, 10:30, 10:30] = torch.tensor([0.2, 0.6, 0.2])[:, None, None]
    for image in (drawing, filled):
        plain, noisy = (Preparation(3, "picture", None, TINTS, grain)(image) for grain in (0, 0.04))
        assert 0.04 < (noisy - plain).std() < 0.1


def test_a_margin_is_added_before_and_cut_off_after():
    translate = worker(prepare=Preparation(3, margin=5))
    image = picture(32, 32)
    x = translate.prepare(image)
    assert x.shape == (1, 3, 37, 37) and torch.equal(x[..., 36], x[..., 31])
    assert translate(image).shape == image.shape
    (sample,) = samples(translate, image, lambda index: x, 1)
    assert torch.equal(sample, translate(image))


def test_grain_counts_as_work():
    noisy = worker(prepare=Preparation(3, grain=0.04))
    assert noisy.needed(1, 100, 16) >= GRAINING * 100


# Dropout and samples


def test_the_seed_decides_and_without_dropout_nothing_does():
    image = picture(32, 32)
    one, again, other = (worker(Mode(dropout=seed))(image) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert not torch.equal(worker()(image), one)


def test_samples_are_what_their_seeds_alone_give():
    image, translate = picture(32, 32), worker(Mode(dropout=5))
    found = list(samples(translate, image, lambda index: translate.prepare(image), 3))
    for index, sample in enumerate(found):
        assert torch.equal(sample, worker(Mode(dropout=5 + index))(image))
    assert translate.mode.dropout == 5


def test_spread_is_the_standard_deviation():
    images = [picture(5, 6, seed=seed) for seed in range(4)]
    spread = Spread(images[0])
    for image in images[1:]:
        spread.add(image)
    variance = torch.stack(images).double().var(0, unbiased=False)
    torch.testing.assert_close(
        spread.map().double(), variance.mean(1, keepdim=True).sqrt(), atol=1e-6, rtol=0
    )


def test_equal_samples_have_no_spread():
    image = picture(5, 6)
    spread = Spread(image)
    spread.add(image.clone())
    assert spread.map().max() == 0


# Statistics


@pytest.mark.parametrize(
    ("mode", "norm", "measures"),
    [(Mode(), "batch", True), (Mode("stored"), "batch", False), (Mode(), "none", False)],
)
def test_statistics_are_measured_where_they_are_used(mode, norm, measures):
    assert worker(mode, norm=norm).measures == measures


def test_stored_statistics_are_used_where_asked_for():
    image = picture(32, 32)
    translate = worker(Mode("stored"))
    with torch.no_grad():
        torch.testing.assert_close(
            translate(image), translate.network(image, Mode("stored")), atol=1e-5, rtol=0
        )
    assert not torch.allclose(translate(image), worker()(image), atol=1e-3)
