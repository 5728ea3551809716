"""Dreams: steps, octaves, tiles, guides."""

from __future__ import annotations

import pytest
import torch
from narrow import NARROW

from styler.classifiers import activation
from styler.events import Note, Stage, Step, relay, result_of
from styler.features import Extractor
from styler.networks.vgg import random_convolutions
from styler.options.see import DreamOptions
from styler.tasks.see.dream import STEP, dream, guided, octaves, tiled, zoomed
from styler.tasks.see.units import Unit, descent, excitation, value_of


@pytest.fixture(scope="module")
def network():
    return Extractor("compact", random_convolutions("compact", NARROW, seed=2))


@pytest.fixture
def image():
    return 0.2 + 0.6 * torch.rand(1, 3, 80, 100, generator=torch.Generator().manual_seed(0))


def dreamed(image, value, **fields):
    """The dream of an image, and its events with copies of the images as they are then."""
    events, run = [], dream(image, lambda: ("x", value), DreamOptions(**fields))
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            return end.value, events
        events.append((event, event.image.clone() if isinstance(event, Step) else None))


@pytest.mark.parametrize("octave_count", [1, 2, 5])
def test_no_steps_change_nothing_and_the_size_stays(image, network, octave_count):
    made, _ = dreamed(image, value_of(network, Unit("relu3_1")), steps=0, octaves=octave_count)
    assert torch.equal(made, image)


@pytest.mark.parametrize("unit", [Unit("relu3_1"), Unit("conv2_1", 2)])
def test_the_excitation_rises_unshifted(image, network, unit):
    value = value_of(network, unit)
    made, events = dreamed(image, value, steps=4, octaves=2, octave_scale=1.2)
    assert value(made) > value(image) and made.shape == image.shape
    sizes = [(event.height, event.width) for event, _ in events if isinstance(event, Stage)]
    assert sizes == [(67, 83), (80, 100)]
    again, _ = dreamed(image, value, steps=4, octaves=2, octave_scale=1.2)
    other, _ = dreamed(image, value, steps=4, octaves=2, octave_scale=1.2, seed=1)
    assert torch.equal(made, again) and not torch.equal(made, other)


def test_a_step_has_its_length(image, network):
    """Before the values are cut to [0, 1], which these are far from: 1.5 of 255 on average."""
    _, events = dreamed(image, value_of(network, Unit("relu3_1")), steps=3, octaves=1)
    images = [picture for _, picture in events if picture is not None]
    assert float((images[1] - images[0]).abs().mean()) == pytest.approx(STEP, rel=0.05)
    assert STEP * 255 == 1.5


def test_half_the_squares_and_their_mean_give_the_same_step(image, network):
    steps = []
    for value in (
        value_of(network, Unit("relu3_1")),
        lambda x: activation(network, x, "relu3_1").square().sum() / 2,
    ):
        _, gradient = descent(value, image)
        steps.append(gradient / gradient.abs().mean())
    assert (steps[0] - steps[1]).abs().max() < 1e-4


def test_octaves_that_are_too_small_are_left_out(image, network):
    _, events = dreamed(image, value_of(network, Unit("relu1_1")), steps=1, octaves=4)
    notes = [event.text for event, _ in events if isinstance(event, Note)]
    assert notes == ["1 of 4 octaves: others would be under 64 pixels"]
    assert octaves((80, 100), DreamOptions(octaves=4)) == [(80, 100)]
    assert octaves((40, 50), DreamOptions(octaves=3)) == [(40, 50)]
    assert octaves((200, 300), DreamOptions(octaves=3, octave_scale=2)) == [(100, 150), (200, 300)]


def test_tiles_are_looked_at_alone_and_cover_everything(network):
    image = torch.rand(1, 3, 150, 90, generator=torch.Generator().manual_seed(1))
    value = value_of(network, Unit("relu2_1"))
    whole_value, whole = tiled(value, image, 512)
    assert torch.equal(whole, descent(value, image)[1])
    mean, gradient = tiled(value, image, 64)  # rows end at 50 and 100, columns at 45
    assert torch.isfinite(gradient).all() and float(mean) == pytest.approx(float(whole_value), rel=0.1)
    inside = (..., slice(60, 90), slice(10, 35))  # farther from all seams than the layer sees
    assert torch.allclose(gradient[inside], whole[inside], rtol=0.3, atol=0.3 * float(whole.abs().max()))
    # Each tile's gradient is its own, weighted by its share of the picture.
    alone = descent(value, image[..., :50, :45].contiguous())[1] * (50 * 45) / (150 * 90)
    assert torch.allclose(gradient[..., :50, :45], alone, rtol=1e-4, atol=1e-9)


def test_a_guide_leads_to_its_features(image, network):
    guide = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(3))
    value = guided(network, "relu2_1", guide)
    with torch.no_grad():
        x, goals = (activation(network, each, "relu2_1")[0].flatten(1) for each in (image, guide))
        expected = (x.T @ goals).amax(1).mean() / len(x)
    assert float(value(image)) == pytest.approx(float(expected), rel=1e-4)
    made, _ = dreamed(image, value, steps=4, octaves=1)
    assert value(made) > value(image)


def test_a_zoom_keeps_the_size_and_the_middle():
    image = torch.zeros(1, 3, 60, 80)
    image[..., 28:32, 38:42] = 1
    larger = zoomed(image, 2.0)
    assert larger.shape == image.shape and larger.sum() > 3 * image.sum()
    assert larger[..., 27:33, 37:43].min() > 0.9
    assert torch.equal(zoomed(image, 1.0), image)


def test_excitation_by_hand():
    x = torch.tensor([[[[1.0, 2.0]], [[3.0, -3.0]]]])
    assert excitation(x, None) == (1 + 4 + 9 + 9) / 4 and excitation(x, 1) == 0


def test_a_dream_that_is_stopped_has_its_full_size(image, network):
    steps, run = (
        [],
        dream(
            image,
            lambda: ("x", value_of(network, Unit("relu2_1"))),
            DreamOptions(steps=5, octaves=2, octave_scale=1.2),
            lambda: True,
        ),
    )
    made = result_of(relay(run, lambda event: steps.append(event) or ()))
    assert sum(isinstance(event, Step) for event in steps) == 1
    assert made.shape == image.shape and not torch.equal(made, image)
