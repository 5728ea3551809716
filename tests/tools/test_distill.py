"""Distillation: what the closed form recovers, what training gains, resuming."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from distill import closed_form, training
from distill.options import DistillOptions
from distill.training import Student
from torch import Tensor

from styler.engine.fit import TrainingState
from styler.errors import InputError
from styler.events import TrainStep
from styler.features import Extractor
from styler.networks.vgg import Convolution, random_convolutions

SIDE = 32


@pytest.fixture(autouse=True)
def few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "SAMPLE", 2000)


def batches(index: int) -> Tensor:
    """Smooth noise: neighboring pixels are alike, as in pictures."""
    noise = torch.rand(4, 3, SIDE // 4, SIDE // 4, generator=torch.Generator().manual_seed(index))
    return F.interpolate(noise, (SIDE, SIDE), mode="bilinear")


def teacher(seed: int = 1, width: int = 12) -> Extractor:
    return Extractor("vgg19", random_convolutions("vgg19", (width,) * 5, seed))


def options(**changes: Any) -> DistillOptions:
    given = {"steps": 4, "batch": 4, "warmup": 1, "report": 1, "save": 2, "crop": SIDE, "widths": "8,8,8,8,8"}
    return DistillOptions(**{**given, "precision": "float32", **changes})


def run(
    chosen: DistillOptions, start: TrainingState | None = None, wide: Extractor | None = None
) -> tuple[dict[str, Convolution], list[TrainStep], list[TrainingState]]:
    work = training.distill(wide or teacher(), batches, chosen, start)
    steps: list[TrainStep] = []
    states: list[TrainingState] = []
    while True:
        try:
            event = next(work)
        except StopIteration as stop:
            return stop.value, steps, states
        (steps if isinstance(event, TrainStep) else states).append(event)


def test_makes_a_compact_network_of_these_widths() -> None:
    made, steps, _ = run(options(steps=1, widths="7,6,5,8,9"))
    assert [len(bias) for _, bias in made.values()] == [7, 7, 6, 6, 5, 5, 5, 5, 8, 8, 8, 8, 9]
    Extractor("compact", made)(batches(0), ["relu5_1"])
    assert set(steps[0].losses) == set(training.LAYERS)


def test_training_explains_more() -> None:
    _, steps, _ = run(options(steps=60, warmup=20, learning_rate=0.03))
    early = sum(sum(step.losses.values()) for step in steps[15:25])
    late = sum(sum(step.losses.values()) for step in steps[-10:])
    assert late < 0.9 * early


def test_goes_on_bit_for_bit() -> None:
    whole, _, states = run(options())
    again, steps, _ = run(options(), states[0])
    assert [step.index for step in steps] == [3, 4]
    for name, (weight, bias) in whole.items():
        assert torch.equal(weight, again[name][0]) and torch.equal(bias, again[name][1])


def test_first_layer_knows_nothing_of_the_teacher() -> None:
    images = torch.cat([batches(index) for index in range(4)])
    widths = training.widths_of("8,8,8,8,8")
    (one, _), (two, _) = (training.first_guess(teacher(seed), images, widths, 0) for seed in (1, 2))
    assert torch.equal(one["conv1_1"][0], two["conv1_1"][0])
    assert not torch.equal(one["conv1_2"][0], two["conv1_2"][0])


def test_first_layer_whitens_patches() -> None:
    patches = torch.randn(5000, 27) @ torch.randn(27, 27) + 3
    weight, bias = closed_form._principal(patches, 6)
    response = patches @ weight.flatten(1).T + bias
    torch.testing.assert_close(response.mean(0), torch.zeros(6), atol=1e-3, rtol=0)
    correlation = (response.T @ response / len(response))[:3, :3] / 2
    torch.testing.assert_close(correlation, torch.eye(3), atol=1e-2, rtol=0)
    torch.testing.assert_close(weight[:3], -weight[3:])


def test_regression_finds_the_convolution() -> None:
    draw = torch.Generator().manual_seed(0)
    images = torch.rand(6, 4, 16, 16, generator=draw)
    weight, bias = torch.randn(5, 4, 3, 3, generator=draw), torch.randn(5, generator=draw)
    where = closed_form.positions(images, ["conv1_2"], draw)["conv1_2"]
    values = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), weight, bias)
    found = closed_form._regression(
        closed_form._patches(images, where), values[where[0], :, where[1], where[2]]
    )
    torch.testing.assert_close(found[0], weight, atol=2e-2, rtol=0)
    torch.testing.assert_close(found[1], bias, atol=5e-2, rtol=0)


def test_selection_takes_live_and_different_channels() -> None:
    draw = torch.Generator().manual_seed(0)
    base = torch.randn(500, 3, generator=draw)
    before = torch.cat([base, base[:, :1] * 0.5, -torch.ones(500, 2)], 1)  # a copy, and two that are dead
    picked, scale = closed_form._selection(before, 3, draw)
    rms = F.relu(base).square().mean(0).sqrt()
    assert torch.allclose(scale.sort().values, rms.sort().values)
    assert torch.allclose(F.relu(picked).square().mean(0).sqrt(), torch.ones(3))
    wider, _ = closed_form._selection(before, 6, draw)
    assert wider.shape == (500, 6) and wider.isfinite().all()


def test_what_a_map_can_tell_is_explained() -> None:
    draw = torch.Generator().manual_seed(0)
    own, mixing = torch.rand(4000, 6, generator=draw), torch.randn(6, 9, generator=draw)
    student = Student(random_convolutions("compact", (6,) * 5), {"relu1_1": 9, "relu1_2": 9}, torch.float32)
    assert student.unexplained("relu1_1", own, own @ mixing + 2) < 1e-4
    assert student.unexplained("relu1_2", own, torch.randn(4000, 9, generator=draw)) == pytest.approx(
        1, abs=0.05
    )


def test_a_teacher_that_is_too_shallow() -> None:
    shallow = Extractor("vgg19", dict(list(random_convolutions("vgg19", (4,) * 5).items())[:2]))
    with pytest.raises(InputError, match="vgg19 has no layer"):
        run(options(), wide=shallow)


def test_balance_keeps_the_features_but_for_their_scale() -> None:
    images = torch.cat([batches(index) for index in range(4)])
    before = random_convolutions("compact", (8,) * 5, seed=3)
    scales = {name: torch.linspace(1, 4, 8) for name in before if name != "conv1_1"}
    layers = [name.replace("conv", "relu") for name in before]
    old = Extractor("compact", before, padding="reflect")(images, layers)
    for whitening in (0.0, 1.0):
        after = closed_form.balanced(before, images, scales, whitening)
        new = Extractor("compact", after, padding="reflect")(images, layers)
        for name in layers:
            ratio = new[name].square().mean((0, 2, 3)).sqrt() / old[name].square().mean((0, 2, 3)).sqrt()
            live = ratio.isfinite()
            expected = old[name] * ratio[None, :, None, None]
            torch.testing.assert_close(new[name][:, live], expected[:, live], atol=1e-4, rtol=1e-3)
        rms = new["relu2_1"].square().mean((0, 2, 3)).sqrt()
        wanted = torch.ones(8) if whitening else scales["conv2_1"] / scales["conv2_1"].square().mean().sqrt()
        lively = old["relu2_1"].square().mean((0, 2, 3)).sqrt() > 1e-2
        torch.testing.assert_close(rms[lively], wanted[lively], atol=1e-3, rtol=1e-3)


def test_variation_is_a_function_of_seed_and_step() -> None:
    images = batches(0)
    assert torch.equal(training.vary(images, 0, 5), training.vary(images, 0, 5))
    assert not torch.equal(training.vary(images, 0, 5), training.vary(images, 0, 6))
    assert not torch.equal(training.vary(images, 0, 5), training.vary(images, 1, 5))
    assert training.vary(images, 0, 5).min() >= 0 and training.vary(images, 0, 5).max() <= 1


@pytest.mark.parametrize("text", ["", "8,8", "8,8,8,8,x", "8,8,8,8,0", "8,8,8,8,9999", "1.5,8,8,8,8"])
def test_widths_that_make_no_network(text: str) -> None:
    with pytest.raises(InputError, match=r"--widths is .* five numbers from 2 to 512"):
        training.widths_of(text)


def test_widths_of_blocks_and_of_layers() -> None:
    assert list(training.widths_of("2,3,4,5,6").values()) == [2, 2, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 6]
    assert list(training.widths_of(",".join(map(str, range(2, 15)))).values()) == list(range(2, 15))
