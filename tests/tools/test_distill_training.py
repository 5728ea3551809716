"""Training of a narrow VGG on features: what it gains, what it leaves alone, and resuming."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from distill.cache import on_grid
from distill.options import DistillOptions
from distill.training import Batch, Student, frozen_of, through, train, vary, widths_of
from distilling import options, smooth, teacher
from torch import Tensor

from styler.engine.fit import TrainingState
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor
from styler.networks.vgg import random_convolutions

LAYERS = ["relu1_2", "relu2_1", "relu5_1"]
WIDE = teacher()


def student(freeze: str = "") -> Student:
    convolutions = random_convolutions("compact", (8,) * 5, seed=3)
    return Student(convolutions, dict.fromkeys(LAYERS, 12), torch.float32, frozen_of(freeze))


def batch(network: Student, step: int) -> Batch:
    images, items = smooth(step), list(range(4 * step, 4 * step + 4))
    targets = {name: on_grid(name, x, items) for name, x in WIDE(images, LAYERS).items()}
    return Batch(items, through(network.kept, images, torch.float32) if network.kept else images, targets)


def run(
    network: Student, chosen: DistillOptions, start: TrainingState | None = None
) -> tuple[list[TrainStep], list[TrainingState]]:
    events = list(train(network, partial(batch, network), chosen, start))
    steps = [event for event in events if isinstance(event, TrainStep)]
    return steps, [event for event in events if isinstance(event, TrainingState)]


@pytest.mark.parametrize("freeze", ["", "conv1_1"])
def test_training_explains_more(freeze: str) -> None:
    steps, _ = run(student(freeze), options(steps=60, warmup=20, learning_rate=0.03))
    early = sum(sum(step.losses.values()) for step in steps[15:25])
    late = sum(sum(step.losses.values()) for step in steps[-10:])
    assert late < 0.97 * early
    assert set(steps[0].losses) == set(LAYERS)


def test_goes_on_bit_for_bit() -> None:
    whole, again = student(), student()
    _, states = run(whole, options())
    steps, _ = run(again, options(), states[0])
    assert [step.index for step in steps] == [3, 4, 5, 6]
    for name, (weight, bias) in whole.convolutions().items():
        assert torch.equal(weight, again.convolutions()[name][0])
        assert torch.equal(bias, again.convolutions()[name][1])


def test_frozen_layers_stay() -> None:
    network = student("conv2_1")
    before = network.convolutions()
    run(network, options(steps=2))
    for name, (weight, _) in network.convolutions().items():
        assert torch.equal(weight, before[name][0]) == (name in ("conv1_1", "conv1_2", "conv2_1"))


def test_the_student_is_the_network_that_its_convolutions_are() -> None:
    images = smooth(0)
    layers = ["relu2_2", "relu3_1", "relu5_1"]
    expected = Extractor("compact", student().convolutions(), padding="reflect")(images, layers)
    whole, part = student()(images), student("conv2_1")
    continued = part(through(part.kept, images, torch.float32))
    for name in layers:
        torch.testing.assert_close(whole[name], expected[name])
        torch.testing.assert_close(continued[name], expected[name])


def test_what_a_map_can_tell_is_explained() -> None:
    draw = torch.Generator().manual_seed(0)
    own, mixing = torch.rand(4, 1000, 6, generator=draw), torch.randn(6, 9, generator=draw)
    network = Student(random_convolutions("compact", (6,) * 5), {"relu1_1": 9, "relu1_2": 9}, torch.float32)
    assert network.unexplained("relu1_1", own, own @ mixing + 2) < 1e-4
    noise = torch.randn(4, 1000, 9, generator=draw)
    assert network.unexplained("relu1_2", own, noise) == pytest.approx(1, abs=0.05)


def test_variation_is_a_function_of_the_draw() -> None:
    images = smooth(0)

    def varied(seed: int) -> Tensor:
        return vary(images, torch.Generator().manual_seed(seed))

    assert torch.equal(varied(5), varied(5))
    assert not torch.equal(varied(5), varied(6))
    assert varied(5).min() >= 0 and varied(5).max() <= 1


@pytest.mark.parametrize("text", ["", "8,8", "8,8,8,8,x", "8,8,8,8,0", "8,8,8,8,9999", "1.5,8,8,8,8"])
def test_widths_that_make_no_network(text: str) -> None:
    with pytest.raises(InputError, match=r"--widths is .* five numbers from 2 to 512"):
        widths_of(text)


def test_widths_of_blocks_and_of_layers() -> None:
    assert list(widths_of("2,3,4,5,6").values()) == [2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6]
    assert list(widths_of(",".join(map(str, range(2, 15)))).values()) == list(range(2, 15))


def test_frozen_layers_by_name() -> None:
    assert frozen_of("conv2_1") == ("conv1_1", "conv1_2", "conv2_1")
    assert frozen_of("") == ()
    for name in ("conv5_1", "relu1_1"):
        with pytest.raises(InputError, match="choose one of conv1_1"):
            frozen_of(name)
