"""Training for styles: what the network's file says, adding styles, and starting from a trained network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from studio import notes, options, same, train, weights
from theirs import save_unet

from styler.errors import CheckpointError, InputError, OutputError
from styler.jobs.training.fast import Feed, StyleTraining
from styler.jobs.training.styles import LearnedStyle, extended, file_of
from styler.networks.residual import ResidualNetwork
from styler.options.fast import FastOptions, TrainFastOptions
from styler.plans import ResidualArchitecture
from styler.storage.models import library
from styler.storage.models.library import Style
from styler.tasks.fast import painter


def run(output: str, *styles: str, **more: Any) -> tuple[list[Any], dict[str, Any]]:
    return train("transform", output, styles=styles or ("ink.png",), **more)


def test_makes_a_model_that_says_what_it_is(studio: Path) -> None:
    events, _ = run("two.safetensors", "Wild Waves.png", "blots=ink.png")
    assert "few" in notes(events) and "broken.jpg" in notes(events)
    model = library.read(Path("two.safetensors"))
    assert [style.name for style in model.card.styles] == ["wild-waves", "blots"]
    assert model.thumbnails is not None and model.thumbnails.shape == (2, 3, 64, 64)
    assert model.card.kind == "transform" and model.card.network["width"] == 8
    assert model.card.information["training"]["pictures"] == 7
    with Image.open("two.safetensors.training/preview.png") as preview:
        assert preview.width > 4 * 256


def test_textures_need_no_photos(studio: Path) -> None:
    card = library.read(Path("texture.safetensors")).card
    assert card.kind == "texture" and card.information["training"]["pictures"] == 0


def test_refusals(studio: Path) -> None:
    with pytest.raises(InputError, match="two styles are called ink"):
        run("m.safetensors", "ink.png", "INK=Wild Waves.png")
    with pytest.raises(InputError, match="no such file"):
        run("m.safetensors", "none.png")
    with pytest.raises(InputError, match="no layer"):
        run("m.safetensors", chosen=options("transform", style_layers=(("relu9_9", 1.0),)))
    assert not Path("m.safetensors.training").exists()


def test_added_styles_leave_the_others_alone(studio: Path) -> None:
    run("one.safetensors", "ink.png")
    run("two.safetensors", "Wild Waves.png", add_to="one.safetensors")
    old, new = weights("one.safetensors"), weights("two.safetensors")
    norms = [name for name in old if "norm" in name]
    assert all(torch.equal(old[name], new[name][:1]) for name in norms)
    assert not any(torch.equal(old[name], new[name][1:]) for name in norms)
    assert all(torch.equal(old[name], new[name]) for name in old if name not in norms)
    card = library.read(Path("two.safetensors")).card
    assert [style.name for style in card.styles] == ["ink", "wild-waves"]
    assert card.information["added_to"]["options"]["steps"] == 6
    with pytest.raises(InputError, match="has a style ink already"):
        run("three.safetensors", "ink.png", add_to="one.safetensors")
    with pytest.raises(OutputError, match="also an input"):
        run("one.safetensors", "Wild Waves.png", add_to="one.safetensors", overwrite=True)


def test_a_network_is_trained_further(studio: Path) -> None:
    """From its very weights, for its own style or another; the file that it comes from is left alone."""
    run("one.safetensors", "ink.png")
    before = Path("one.safetensors").read_bytes()
    still = options("transform", steps=1, learning_rate=0.0)
    run("same.safetensors", "ink.png", start_from="one.safetensors", chosen=still)
    assert same(weights("same.safetensors"), weights("one.safetensors"))
    run("other.safetensors", "Wild Waves.png", start_from="one.safetensors")
    assert not same(weights("other.safetensors"), weights("one.safetensors"))
    card = library.read(Path("other.safetensors")).card
    assert [style.name for style in card.styles] == ["wild-waves"]
    assert card.information["started_from"]["options"]["steps"] == 6
    run("two.safetensors", "ink.png", "Wild Waves.png", start_from="one.safetensors", chosen=still)
    one, two = weights("one.safetensors"), weights("two.safetensors")
    assert all(torch.equal(one[name], two[name][:1]) for name in one if "norm" in name)
    assert all(torch.equal(one[name], two[name][1:]) for name in one if "norm" in name)
    with pytest.raises(InputError, match="has 2 styles, and 1 are to be learned"):
        run("three.safetensors", "ink.png", start_from="two.safetensors")
    with pytest.raises(InputError, match="is a transform network"):
        run("t.safetensors", "ink.png", start_from="one.safetensors", chosen=options("texture"))
    save_unet("cats.pth")
    with pytest.raises(CheckpointError, match=r"cats\.pth is a translator, not a style network: styler tra"):
        run("three.safetensors", "ink.png", start_from="cats.pth")
    with pytest.raises(OutputError, match="also an input"):
        run("one.safetensors", "ink.png", start_from="one.safetensors", overwrite=True)
    assert Path("one.safetensors").read_bytes() == before


def test_a_style_of_an_installed_network_is_a_start(studio: Path) -> None:
    """By the style's name, where no network is called so; the weights are those of that style alone."""
    run("two.safetensors", "ink.png", "Wild Waves.png")
    library.folder().mkdir(parents=True, exist_ok=True)
    shutil.copy("two.safetensors", library.folder())
    still = options("transform", steps=1, learning_rate=0.0)
    run("waves.safetensors", "ink.png", start_from="wild-waves", chosen=still)
    two, waves = weights("two.safetensors"), weights("waves.safetensors")
    assert all(torch.equal(two[name][1:] if "norm" in name else two[name], waves[name]) for name in two)
    run("again.safetensors", "ink.png", "Wild Waves.png", start_from="two", chosen=still)
    assert same(weights("again.safetensors"), two)
    with pytest.raises(CheckpointError, match="no model is called 'wild-wave'"):
        run("none.safetensors", "ink.png", start_from="wild-wave")


def test_new_styles_start_as_the_mean() -> None:
    network = ResidualNetwork(ResidualArchitecture(width=8, styles=2))
    torch.nn.init.normal_(network.down[0].norm.weight)
    grown = extended(network, 3)
    rows = grown.down[0].norm.weight
    assert grown.config.styles == 5 and rows.shape[0] == 5
    assert torch.equal(rows[:2], network.down[0].norm.weight)
    assert torch.allclose(rows[2:], rows[:2].mean(0).expand(3, -1))
    assert {name.split(".")[-2] for name, p in grown.named_parameters() if p.requires_grad} == {"norm"}


def test_names() -> None:
    assert file_of("a.png") == "a.png" and file_of("night=dir/a.png") == "dir/a.png"
    assert file_of("=a.png") == "=a.png"


def test_a_file_with_an_equals_sign_is_a_file(studio: Path) -> None:
    Path("ink.png").rename("a=b.png")
    assert file_of("a=b.png") == "a=b.png"


def test_grain_and_average_are_kept_in_the_network(studio: Path) -> None:
    chosen = options("transform", grain=0.02, average=0.9, these_photos=True, steps=9, save=4)
    events, _ = run("grainy.safetensors", "ink.png", chosen=chosen)
    assert "few" not in notes(events)
    model = library.read(Path("grainy.safetensors"))
    assert model.card.network["grain"] == 0.02 and model.network.config.grain == 0.02
    run("last.safetensors", "ink.png", chosen=options("transform", grain=0.02, steps=9))
    assert not same(weights("grainy.safetensors"), weights("last.safetensors"))
    run("plain.safetensors", "ink.png", start_from="grainy.safetensors")
    assert library.read(Path("plain.safetensors")).card.network["grain"] == 0
    events, _ = run(
        "both.safetensors",
        "Wild Waves.png",
        add_to="grainy.safetensors",
        chosen=options("transform", grain=0.1),
    )
    assert "has grain 0.02: --grain is not used" in notes(events)
    assert library.read(Path("both.safetensors")).card.network["grain"] == 0.02


def test_a_preview_is_what_the_network_paints() -> None:
    """Of a white sheet, too, beside which the grain would be lost in rounding."""
    torch.manual_seed(0)
    network = ResidualNetwork(ResidualArchitecture(width=8, styles=1)).to(memory_format=torch.channels_last)
    style = LearnedStyle(Style("ink", ""), torch.rand(1, 3, 32, 32), "")
    white = torch.ones(1, 3, 96, 128)
    feed = Feed(lambda _: white, [], [white])
    work = StyleTraining(network, [style], feed, TrainFastOptions(average=0.0))
    painted = painter(network, torch.ones(1, 1), FastOptions())(white)
    assert torch.equal(work.paint(white, 0), painted) and float(painted.std()) > 1e-3
