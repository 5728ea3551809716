"""Figures of a narrow network, with answers known beforehand; half-painted pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from distill import measure, painted, report
from distill.painted import Halfway, halfway, noise
from distilling import options, pictures, smooth, teacher

from styler.events import Item
from styler.features import Extractor
from styler.networks.vgg import random_convolutions
from styler.storage.models import vgg

LAYERS = ["relu1_1", "relu3_1"]


def network(seed: int = 3) -> Extractor:
    return Extractor("compact", random_convolutions("compact", (8,) * 5, seed), padding="reflect")


def test_a_network_explains_itself_and_noise_explains_nothing() -> None:
    wide = partial(teacher(), padding="reflect")
    images, held = torch.cat([smooth(0, 8), smooth(1, 8)]), smooth(2, 8)
    for value in measure.explained(wide, wide, LAYERS, images, held).values():
        assert value == pytest.approx(1, abs=1e-3)

    def blind(x: torch.Tensor, layers: list[str]) -> dict[str, torch.Tensor]:
        return {name: torch.ones_like(features) for name, features in wide(x, layers).items()}

    for value in measure.explained(blind, wide, LAYERS, images, held).values():
        assert value == pytest.approx(0, abs=0.1)


def test_gradients_of_a_network_agree_with_its_own_and_less_with_another() -> None:
    ways = measure.on_the_way(smooth(0, 2), smooth(1, 2), network(), (2, 4))
    assert [way.step for way in ways] == [2, 4] * 4
    for value in measure.agreement(network(), network(), ways).values():
        assert value == pytest.approx(1, abs=1e-4)
    assert all(value < 0.9 for value in measure.agreement(network(), network(5), ways).values())


def test_the_gradients_add_up() -> None:
    picture = Halfway(smooth(0, 1), smooth(1, 1), smooth(2, 1), 1)
    found = measure.gradients(network(), picture)
    whole = found.pop("sum")
    torch.testing.assert_close(torch.stack(list(found.values())).sum(0), whole)


def test_typical_figures_by_hand() -> None:
    found = measure.typical(network(), [smooth(0, 1), smooth(1, 1)])
    expected = []
    for index in (0, 1):
        x = network()(smooth(index, 1), ["relu2_1"])["relu2_1"][0].flatten(1)
        spread = torch.cov(x, correction=0)
        expected.append([spread.trace() / 8, spread.square().sum(), x.mean(1).square().sum()])
    assert found["relu2_1"] == pytest.approx(torch.tensor(expected).mean(0).tolist(), rel=1e-3)


def test_figures_go_into_the_card_and_leave_the_network(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    convolutions = random_convolutions("compact", (8,) * 5)
    vgg.write(
        file,
        "compact",
        convolutions,
        padding="reflect",
        licence="MIT",
        information={"source": "x"},
        dtype=torch.float16,
    )
    before = vgg.read(file)
    figures = {
        "explained": {"relu1_1": 0.912345},
        "gradient": {"sum": 0.5},
        "typical": {"relu1_1": [1.0, 2.0, 3.0]},
    }
    report.keep(str(file), figures, 0.08)
    card, after = vgg.read_card(file), vgg.read(file)
    assert card.licence == "MIT"
    assert card.information == {
        "source": "x",
        "held_out": {"explained": {"relu1_1": 0.9123}, "gradient": {"sum": 0.5}},
        "typical": {"relu1_1": [1.0, 2.0, 3.0]},
        "content_weight": 0.08,
    }
    assert before.padding == after.padding
    for name, buffer in before.named_buffers():
        assert torch.equal(buffer, after.get_buffer(name))


def test_the_whole_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SIDE": 32, "FITTED": (3, 2), "HELD": 2, "PAIRS": 1, "TYPICAL": 2}.items():
        monkeypatch.setattr(report, name, value)
    wide, narrow = tmp_path / "wide.safetensors", tmp_path / "narrow.safetensors"
    vgg.write(wide, "vgg19", random_convolutions("vgg19", (8,) * 5))
    vgg.write(narrow, "compact", random_convolutions("compact", (8,) * 5), padding="reflect")
    folder = str(pictures(tmp_path / "pictures"))
    data = report.Data(folder, folder, folder, folder)
    figures = report.report([str(narrow)], str(wide), str(narrow), data)[str(narrow)]
    assert set(figures["explained"]) == set(figures["typical"]) == set(report.LAYERS)
    assert {"relu5_1", "content relu4_2", "sum"} <= set(figures["gradient"])
    text = measure.table({"narrow": figures["explained"]})
    assert len(text.splitlines()) == 2 and "5_1" in text


def test_half_painted_pictures_are_on_the_way() -> None:
    content, style = smooth(0, 1), smooth(1, 1)
    early, late = halfway(content, style, network(), (1, 4), "content")
    moved, farther = (float((step.image - content).abs().mean()) for step in (early, late))
    assert 0 < moved < farther
    assert late.image.min() >= 0 and late.image.max() <= 1


def test_painting_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painted, "STEPS", (1, 2))
    narrow = tmp_path / "narrow.safetensors"
    vgg.write(narrow, "compact", random_convolutions("compact", (8,) * 5), padding="reflect")
    folder, output = str(pictures(tmp_path / "pictures")), tmp_path / "painted"
    events = list(painted.paint(folder, folder, str(output), str(narrow), runs=2, side=32))
    files = {file: file.stat().st_mtime_ns for file in output.iterdir()}
    assert len(files) == 4 and len([e for e in events if isinstance(e, Item)]) == 2
    next(iter(files)).unlink()
    list(painted.paint(folder, folder, str(output), str(narrow), runs=2, side=32))
    assert len([file for file, time in files.items() if file.stat().st_mtime_ns == time]) == 2


def test_noise_is_of_many_kinds_and_in_range() -> None:
    found = [noise(np.random.default_rng(index), 32) for index in range(8)]
    assert all(x.shape == (1, 3, 32, 32) and x.min() >= 0 and x.max() <= 1 for x in found)
    assert len({round(x.std().item(), 3) for x in found}) > 4
    assert torch.equal(found[3], noise(np.random.default_rng(3), 32))
    assert options().painted_share == 0.1
