"""Translating Images: what the network is given, samples, statistics, memory that runs out."""

from dataclasses import replace

import pytest
import torch
from nets import picture, small

from styler.device import Form
from styler.errors import DeviceError
from styler.losses.metrics import psnr
from styler.networks import strips
from styler.networks.layers import Mode
from styler.options.translate import TranslateOptions
from styler.tasks import onepass
from styler.tasks import steady as film
from styler.tasks.translate import Preparation, Spread, Translator, is_drawn, translator

AS_IS, MODE = Preparation(3), Mode()


def worker(mode=MODE, prepare=AS_IS, **network):
    return Translator(small(**network).eval(), mode, prepare)


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (33, 70)])
@pytest.mark.parametrize("kind", ["unet", "residual"])
def test_every_size_comes_back_as_the_networks_picture(size, kind):
    translate, image = worker(kind=kind), picture(*size)
    with torch.no_grad():
        wanted = translate.network(image)
    found = translate(image)
    assert found.shape == image.shape and found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 3), (3, 1), (1, 1)])
def test_gray_goes_in_and_comes_out_in_three_channels(inputs, outputs):
    translate = worker(prepare=Preparation(inputs), inputs=inputs, outputs=outputs)
    image = picture(24, 32)
    found = translate(image)
    assert found.shape == image.shape and found.is_contiguous()
    assert translate.seen(image).shape == (1, inputs, 24, 32)
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


def test_the_picture_that_was_given_is_not_changed():
    image = picture(24, 24)
    before = image.clone()
    worker()(image).zero_()
    assert torch.equal(image, before)


# Dropout and samples


def test_the_seed_decides_and_without_dropout_nothing_does():
    image = picture(32, 32)
    one, again, other = (worker(Mode(dropout=seed))(image) for seed in (1, 1, 2))
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert not torch.equal(worker()(image), one)


def test_samples_are_what_their_seeds_alone_give():
    image, translate = picture(32, 32), worker(Mode(dropout=5))
    samples = list(translate.samples(translate.seen(image), 3))
    for index, sample in enumerate(samples):
        assert torch.equal(sample, worker(Mode(dropout=5 + index))(image))
    assert translate.mode.dropout == 5


def test_spread_is_the_standard_deviation():
    samples = [picture(5, 6, seed) for seed in range(4)]
    spread = Spread(samples[0])
    for sample in samples[1:]:
        spread.add(sample)
    variance = torch.stack(samples).double().var(0, unbiased=False)
    torch.testing.assert_close(
        spread.map().double(), variance.mean(1, keepdim=True).sqrt(), atol=1e-6, rtol=0
    )


def test_equal_samples_have_no_spread():
    image = picture(5, 6)
    spread = Spread(image)
    spread.add(image.clone())
    assert spread.map().max() == 0


# Statistics


def test_a_film_is_translated_by_the_statistics_of_its_shot():
    frames, translate = [picture(40, 48), picture(40, 48) * 0.9], worker(Mode(dropout=1))
    shot = film.followed(None, frames[0], translate.moments)
    torch.testing.assert_close(translate(frames[0], shot.moments), translate(frames[0]), atol=1e-3, rtol=0)
    shot = film.followed(shot, frames[1], translate.moments)
    steady, own = translate(frames[1], shot.moments), translate(frames[1])
    assert (steady - own).abs().max() > 1e-3


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


# Memory and number types


def test_strips_are_the_whole():
    image, whole = picture(130, 50), worker(Mode(dropout=3), norm="batch")
    thin = replace(whole, largest=16 * 50)
    assert thin.rows(130, 50) < 130
    assert psnr(thin(image), whole(image)) > 60


def test_memory_that_runs_out_thins_the_strips_and_samples_remember(monkeypatch):
    paint, asked = strips.paint, []

    def short(network, x, mode, rows, *args, **options):
        asked.append(rows)
        if len(asked) == 1:
            raise MemoryError
        return paint(network, x, mode, rows, *args, **options)

    monkeypatch.setattr(strips, "paint", short)
    translate = worker(Mode(dropout=0))
    list(translate.samples(picture(100, 40), 2))
    assert asked[0] == 100 and asked[1] == asked[2] < 100
    assert len(translate.notes) == 1 and translate.plan(100, 40)[0] == asked[1]


def test_too_large_a_picture_is_an_error_with_a_size():
    translate = worker()
    translate.room = 3e9
    with pytest.raises(DeviceError, match=r"use --size \d+$"):
        translate.plan(40_000, 40_000)


@pytest.mark.parametrize(("seconds", "right"), [(0.5, torch.bfloat16), (2.0, torch.float32)])
def test_the_number_type_is_measured(monkeypatch, seconds, right):
    image = picture(24, 24)
    times = {torch.float32: 1.0, torch.bfloat16: seconds}
    monkeypatch.setattr(onepass, "timed", lambda one, sample: (image, times[one.form.dtype]))
    found = translator(small(), Mode(), AS_IS, TranslateOptions(), image)
    assert found.form.dtype == right


def test_bfloat16_is_near():
    image = picture(64, 64)
    exact = worker(Mode(dropout=0))
    rough = replace(exact, form=Form(torch.bfloat16, torch.channels_last))
    assert 25 < psnr(rough(image), exact(image)) < 100
