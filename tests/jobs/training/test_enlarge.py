"""What is special about a training that enlarges, with tiny networks."""

from pathlib import Path

import pytest
import torch
from studio import notes, options, same, train, weights

from styler.errors import InputError
from styler.jobs.training.enlarge import fault_of


def test_a_share_of_the_trained_weights_and_the_rest_of_the_start(studio: Path) -> None:
    """Also when it is resumed, which must not take what it resumes from for the start."""
    train("enlarge", "start.safetensors")
    made: dict[str, dict[str, torch.Tensor]] = {"start": weights("start.safetensors")}
    for name, blend in (("all", 1.0), ("part", 0.25)):
        chosen, file = (
            options("enlarge", seed=5, average=0.0, learning_rate=0.02, blend=blend),
            f"{name}.safetensors",
        )
        train("enlarge", file, chosen, start_from="start.safetensors")
        made[name] = weights(file)
    differences = [(made["all"][key] - value).abs().max() for key, value in made["start"].items()]
    assert max(differences) > 0.01
    for key, value in made["start"].items():
        wanted = 0.75 * value + 0.25 * made["all"][key]
        torch.testing.assert_close(made["part"][key], wanted, atol=2e-3, rtol=1e-2)  # half precision
    chosen = options("enlarge", seed=5, average=0.0, learning_rate=0.02, blend=0.25)
    train("enlarge", "broken.safetensors", chosen, stop_after=3, start_from="start.safetensors")
    train("enlarge", "broken.safetensors", chosen, start_from="start.safetensors", resume=True)
    assert same(weights("broken.safetensors"), made["part"])


def test_a_share_needs_a_start(studio: Path) -> None:
    with pytest.raises(InputError, match="--blend is under 1, and there is nothing to blend with"):
        train("enlarge", "mine.safetensors", options("enlarge", blend=0.5))


def test_a_network_that_is_worse_than_bicubic_is_told_of(studio: Path) -> None:
    events, _ = train("enlarge", "mine.safetensors", options("enlarge", perceptual_weight=0.0))
    fault = "by every score it enlarges clean pictures worse than bicubic enlargement does"
    assert f"{fault}: try more --steps" in notes(events)
    plain = {"psnr": 30.0, "ssim": 0.9, "perceptual": 0.2}
    worse = {"psnr": 29.0, "ssim": 0.8, "perceptual": 0.3}
    assert fault_of({"clean": worse, "bicubic clean": plain}) == fault
    for name, value in plain.items():
        better = {**worse, name: value + (-0.1 if name == "perceptual" else 0.1)}
        assert fault_of({"clean": better, "bicubic clean": plain}) == ""
    assert fault_of({}) == ""
