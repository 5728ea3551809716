"""Pictures that excite a unit: the parameterization, the movements, and that the excitation rises."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from narrow import NARROW

from styler.classifiers import activation
from styler.engine.parameterization import FourierImage
from styler.engine.solvers import FixedSteps
from styler.errors import DivergedError, InputError
from styler.events import Note, Step, result_of
from styler.features import Extractor
from styler.image.warp import turned
from styler.networks.vgg import random_convolutions
from styler.options.see import ImagineOptions
from styler.storage.pictures.load import load_picture
from styler.tasks.see.imagine import imagine
from styler.tasks.see.units import Unit, excitation, parse_units


@pytest.fixture(scope="module")
def network():
    return Extractor("compact", random_convolutions("compact", NARROW, seed=2))


@pytest.mark.parametrize("size", [(16, 16), (17, 24), (9, 31)])
def test_any_image_comes_back_from_its_spectra(size):
    noise = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    for image, most in (
        (0.1 + 0.8 * noise, 1e-6),
        (noise.round(), 1e-6),
        ((1.2 * noise - 0.1).clamp(0, 1), 3e-6),
    ):
        assert (FourierImage.of(image)() - image).abs().max() < most


def test_spectra_are_those_of_lucid():
    """Its formula: spectrum * scale * sqrt(w h), inverse without norm, a quarter; a gray start."""
    image = FourierImage.noise((20, 30), torch.Generator().manual_seed(0))
    rows, columns = torch.fft.fftfreq(20)[:, None], torch.fft.rfftfreq(30)
    scale = 1 / (rows**2 + columns**2).sqrt().clamp_min(1 / 30) * math.sqrt(20 * 30)
    spectrum = torch.view_as_complex(image.parameter.detach()) * scale
    plain = torch.fft.irfft2(spectrum, (20, 30)) / 4
    matrix = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.0, -0.05], [0.27, -0.09, 0.03]]) / 0.46195
    expected = torch.einsum("rc,nchw->nrhw", matrix, plain).sigmoid()
    assert (image() - expected).abs().max() < 1e-5
    assert FourierImage.noise((128, 128), torch.Generator().manual_seed(1))().std() < 0.02


def test_a_turn_by_nothing_changes_nothing_and_a_quarter_is_a_quarter():
    image = torch.rand(1, 3, 12, 12)
    assert torch.allclose(turned(image, 0, 1, (0, 0)), image, atol=1e-5)
    assert torch.allclose(turned(image, math.pi / 2, 1, (0, 0)), image.rot90(-1, (2, 3)), atol=1e-4)
    assert torch.allclose(turned(image, 0, 1, (2, 3))[..., 2:, 3:], image[..., :-2, :-3], atol=1e-4)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("unit", [Unit("conv3_2", 1), Unit("relu2_2")])
def test_the_excitation_rises(network, unit, plain):
    options = ImagineOptions(steps=20, plain_=plain, seed=3)
    events, starts = [], []
    made = result_of(keeping(imagine(network, unit, (40, 32), options), events, starts))
    steps = [event for event in events if isinstance(event, Step)]
    first = starts[0]

    def score(image):
        return float(excitation(activation(network, image, unit.layer), unit.channel))

    assert made.shape == (1, 3, 40, 32) and made.min() >= 0 and made.max() <= 1
    assert len(steps) == 20 and steps[0].losses.keys() == {str(unit)}
    assert score(made) > score(first)
    again = result_of(imagine(network, unit, (40, 32), options))
    assert torch.equal(made, again)
    other = result_of(imagine(network, unit, (40, 32), ImagineOptions(steps=20, plain_=plain, seed=4)))
    assert torch.equal(made, other) == plain  # which starts from the mean, whatever the seed


def keeping(run, events, images=None):
    """Pass on a run's events, and keep them, and copies of the steps' images as they are then."""
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            return end.value
        events.append(event)
        if images is not None and isinstance(event, Step):
            images.append(event.image.clone())
        yield event


def test_it_stops_when_asked(network):
    events = []
    result_of(keeping(imagine(network, Unit("conv2_1", 0), (32, 32), ImagineOptions(), lambda: True), events))
    assert sum(isinstance(event, Step) for event in events) == 1


def test_fixed_steps_have_one_length():
    x = torch.full((1, 3, 8, 8), 0.5)
    points = [x.clone()]
    solver = FixedSteps(x, 1.5 / 255, bounded=True)
    for _ in range(3):
        solver.tell(-1.0, 1e6 * torch.randn(1, 3, 8, 8))
        solver.move()
        points.append(solver.best())
    lengths = [float((b - a).abs().mean()) * 255 for a, b in pairwise(points)]
    assert lengths == pytest.approx([1.5] * 3, rel=1e-4)
    solver.tell(0.0, torch.zeros(1, 3, 8, 8))
    solver.move()
    assert torch.equal(x, points[-1])
    with pytest.raises(DivergedError):
        solver.tell(math.nan, x)


def test_units_by_name(network):
    assert parse_units("relu4_2", network) == [Unit("relu4_2")]
    assert parse_units("conv4_2:3", network) == [Unit("conv4_2", 3)]
    assert [unit.channel for unit in parse_units("conv4_2:1-3", network)] == [1, 2, 3]
    assert str(Unit("conv4_2", 3)) == "conv4_2:3" and str(Unit("scores", 1, "goldfish")) == "goldfish"
    for text, words in {
        "conv4_2:99": "channels 0 to 5",
        "conv4_2:3-1": "channels 0 to 5",
        "conv9_9:1": "no layer",
        "conv4_2:x": "LAYER:NUMBER",
        "": "LAYER:NUMBER",
    }.items():
        with pytest.raises(InputError, match=words):
            parse_units(text, network)


def test_spectra_fit_a_photo():
    """As lucid tests its parameterizations: to a mean error under 0.01 by Adam."""
    photo = load_picture(Path(__file__).parents[3] / "examples/lake.jpg", long_side=32).image
    size = (photo.shape[-2], photo.shape[-1])
    image = FourierImage.noise(size, torch.Generator().manual_seed(0))
    adam = torch.optim.Adam(image.parameters(), lr=0.05)
    for _ in range(400):
        adam.zero_grad()
        loss = (image() - photo).square().mean()
        loss.backward()
        adam.step()
    assert (image() - photo).abs().mean() < 0.01


def test_a_picture_that_is_still_what_it_began_with_says_so(network):
    for rate, told in ((1e-9, True), (0.05, False)):
        run = imagine(network, Unit("conv3_1", 2), (24, 24), ImagineOptions(steps=2, learning_rate=rate))
        texts = [event.text for event in run if isinstance(event, Note)]
        assert any("conv3_1:2: no step has changed the picture by a level" in text for text in texts) == told
