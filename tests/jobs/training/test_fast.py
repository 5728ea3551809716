"""The train-fast command's work: pictures in, a model out, through interruption and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from narrow import slimmed
from PIL import Image
from runs import diverging, ended, steps

from styler.errors import CheckpointError, DivergedError, InputError, OutputError
from styler.events import Note, Stage, TrainStep
from styler.jobs.training import diary as logbook
from styler.jobs.training import fast, fast_diary, feeds
from styler.jobs.training import run as resuming
from styler.jobs.training.fast_models import extended, file_of
from styler.networks.residual import ResidualArchitecture, ResidualNetwork
from styler.options.fast import TrainFastOptions
from styler.storage import runs
from styler.storage.models import library
from styler.tasks import faults


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two styles, some photos of which one is broken, and a tiny loss network; the current folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("Wild Waves", "ink", *(f"photos/{index % 2}/{index}" for index in range(6))):
        values = np.random.default_rng(len(name) + ord(name[-1])).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        file = tmp_path / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).resize((80, 64)).save(file)
    (tmp_path / "photos" / "0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    slimmed(tmp_path / "net.safetensors")
    monkeypatch.setattr(feeds, "SAMPLE_SIDE", 32)  # previews take longer than all else
    return tmp_path


def options(**changes: Any) -> TrainFastOptions:
    values = {
        "steps": 6,
        "batch": 2,
        "crop": 32,
        "style_size": 64,
        "model_size": "tiny",
        "report": 1,
        "save": 2,
        "warmup": 1,
        "precision": "float32",
        "loss_network": "net.safetensors",
    }
    return TrainFastOptions(**{**values, **changes})


def run(output: str, *styles: str, stop_after: int = 10**6, **more: Any) -> tuple[list[Any], dict[str, Any]]:
    """All events of one run that is asked to stop after so many steps, and its record."""
    events: list[Any] = []
    chosen, dataset = more.pop("options", options()), more.pop("dataset", "photos")
    work = fast.train_fast(
        styles or ("ink.png",), dataset, output, chosen, stop=lambda: len(steps(events)) >= stop_after, **more
    )
    return ended(work, events)


def weights(file: str) -> dict[str, torch.Tensor]:
    return library.read(Path(file)).network.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def notes(events: list[Any]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def test_makes_a_model_that_says_what_it_is(studio: Path) -> None:
    events, record = run("out/two.safetensors", "Wild Waves.png", "blots=ink.png", credits="Jo, CC BY")
    assert steps(events) == [1, 2, 3, 4, 5, 6]
    assert [e.name for e in events if isinstance(e, Stage)] == ["train-fast"]
    assert "few" in notes(events) and "broken.jpg" in notes(events)
    assert record["output"] == "out/two.safetensors" and record["losses"]
    model = library.read(Path("out/two.safetensors"))
    assert [style.name for style in model.card.styles] == ["wild-waves", "blots"]
    assert model.thumbnails is not None and model.thumbnails.shape == (2, 3, 64, 64)
    assert model.card.kind == "transform" and model.card.network["width"] == 8
    training = model.card.information["training"]
    assert (training["credits"], training["pictures"], training["options"]["steps"]) == ("Jo, CC BY", 7, 6)
    assert training["losses"] == record["losses"]
    assert str(studio) not in str(training)
    kept = sorted(path.name for path in Path("out/two.safetensors.training").iterdir())
    assert kept == [logbook.LOG, logbook.CURVES, fast_diary.PREVIEW]
    with Image.open("out/two.safetensors.training/preview.png") as preview:
        assert preview.width > 4 * 256


def log(folder: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, logbook.LOG).read_text().splitlines()]


@pytest.mark.parametrize("stop_after", [1, 3])
def test_resumed_is_bit_for_bit_uninterrupted(studio: Path, stop_after: int) -> None:
    run("whole.safetensors", "ink.png", "Wild Waves.png")
    events, record = run("broken.safetensors", "ink.png", "Wild Waves.png", stop_after=stop_after)
    assert record["output"] is None and "--resume" in notes(events)
    assert not Path("broken.safetensors").exists()
    events, _ = run("broken.safetensors", "ink.png", "Wild Waves.png", resume=True)
    assert steps(events) == list(range(stop_after + 1, 7))
    assert same(weights("broken.safetensors"), weights("whole.safetensors"))
    whole, broken = (log(f"{name}.safetensors.training") for name in ("whole", "broken"))
    assert [(e["step"], e["losses"]) for e in broken] == [(e["step"], e["losses"]) for e in whole]
    assert broken[-1]["learning_rate"] < broken[1]["learning_rate"]


def test_steps_after_the_last_state_are_told_once(studio: Path) -> None:
    """A killed run has reported step 3, but its last state is of step 2."""
    work = fast.train_fast(("ink.png",), "photos", "m.safetensors", options())
    while not (isinstance(event := next(work), TrainStep) and event.index == 3):
        pass
    work.close()
    assert [entry["step"] for entry in log("m.safetensors.training")] == [1, 2, 3]
    run("m.safetensors", resume=True)
    assert [entry["step"] for entry in log("m.safetensors.training")] == [1, 2, 3, 4, 5, 6]


def test_resuming_something_else_is_refused(studio: Path) -> None:
    with pytest.raises(CheckpointError, match="without --resume"):
        run("m.safetensors", resume=True)
    run("m.safetensors", stop_after=2)
    with pytest.raises(InputError, match="other options"):
        run("m.safetensors", resume=True, options=options(steps=7))
    with pytest.raises(InputError, match="other styles"):
        run("m.safetensors", "Wild Waves.png", resume=True)
    with pytest.raises(InputError, match="other photos"):
        run("m.safetensors", resume=True, dataset="photos/1")
    with pytest.raises(OutputError, match="interrupted: go on with --resume"):
        run("m.safetensors")
    _, record = run("m.safetensors", overwrite=True)
    assert record["output"] == "m.safetensors"


def test_refusals(studio: Path) -> None:
    Path("empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        run("m.safetensors", dataset="empty")
    with pytest.raises(InputError, match="two styles are called ink"):
        run("m.safetensors", "ink.png", "INK=Wild Waves.png")
    with pytest.raises(InputError, match="no such file"):
        run("m.safetensors", "none.png")
    with pytest.raises(InputError, match="no layer"):
        run("m.safetensors", options=options(style_layers=(("relu9_9", 1.0),)))
    Path("m.safetensors").write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        run("m.safetensors")
    assert not Path("m.safetensors.training").exists()


def test_a_second_training_is_refused(studio: Path) -> None:
    """By another process, as locks are between processes."""
    hold = (
        "import sys; from pathlib import Path; from styler.jobs.training import run as resuming\n"
        "with resuming.claimed(Path('m.safetensors.training')): print('held', flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(resuming.__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(OutputError, match=f"process {other.pid} is training"):
            run("m.safetensors")
        other.communicate()
    run("m.safetensors", options=options(steps=1))


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
    still = options(steps=1, learning_rate=0.0)
    run("same.safetensors", "ink.png", start_from="one.safetensors", options=still)
    assert same(weights("same.safetensors"), weights("one.safetensors"))
    run("other.safetensors", "Wild Waves.png", start_from="one.safetensors")
    assert not same(weights("other.safetensors"), weights("one.safetensors"))
    card = library.read(Path("other.safetensors")).card
    assert [style.name for style in card.styles] == ["wild-waves"]
    assert card.information["started_from"]["options"]["steps"] == 6
    with pytest.raises(InputError, match="has 1 styles, and 2 are to be learned"):
        run("two.safetensors", "ink.png", "Wild Waves.png", start_from="one.safetensors")
    with pytest.raises(InputError, match="is a transform network"):
        run("t.safetensors", "ink.png", start_from="one.safetensors", options=options(network="texture"))
    with pytest.raises(OutputError, match="also an input"):
        run("one.safetensors", "ink.png", start_from="one.safetensors", overwrite=True)
    assert Path("one.safetensors").read_bytes() == before


def test_new_styles_start_as_the_mean() -> None:
    network = ResidualNetwork(ResidualArchitecture(width=8, styles=2))
    torch.nn.init.normal_(network.down[0].norm.weight)
    grown = extended(network, 3)
    rows = grown.down[0].norm.weight
    assert grown.config.styles == 5 and rows.shape[0] == 5
    assert torch.equal(rows[:2], network.down[0].norm.weight)
    assert torch.allclose(rows[2:], rows[:2].mean(0).expand(3, -1))
    assert {name.split(".")[-2] for name, p in grown.named_parameters() if p.requires_grad} == {"norm"}


def test_textures_need_no_photos(studio: Path) -> None:
    texture = options(network="texture", steps=2)
    run("whole.safetensors", dataset="", options=texture)
    run("broken.safetensors", dataset="", options=texture, stop_after=1)
    run("broken.safetensors", dataset="", options=texture, resume=True)
    assert same(weights("broken.safetensors"), weights("whole.safetensors"))
    assert library.read(Path("whole.safetensors")).card.kind == "texture"


def test_names() -> None:
    assert file_of("a.png") == "a.png" and file_of("night=dir/a.png") == "dir/a.png"
    assert file_of("=a.png") == "=a.png"


def test_a_file_with_an_equals_sign_is_a_file(studio: Path) -> None:
    Path("ink.png").rename("a=b.png")
    assert file_of("a=b.png") == "a=b.png"


def test_faults() -> None:
    draw = torch.Generator().manual_seed(0)
    photo, style = (torch.rand(1, 3, 16, 16, generator=draw) for _ in range(2))
    painted = torch.rand(1, 3, 16, 16, generator=draw)
    assert faults.found([photo], [painted], style) == ""
    assert "flat" in faults.found([photo], [torch.zeros_like(photo)], style)
    assert "gray" in faults.found([photo], [painted[:, :1].expand(-1, 3, -1, -1)], style)
    assert "hardly change" in faults.found([photo], [photo + 0.01], style)
    assert "flat" in faults.found([], [torch.full_like(photo, 0.5)], style)
    engraving = style[:, :1].expand(-1, 3, -1, -1)  # which has no color to lose
    assert faults.found([photo], [painted[:, :1].expand(-1, 3, -1, -1)], engraving) == ""


def test_a_damaged_state_falls_back_to_the_one_before(studio: Path) -> None:
    run("whole.safetensors")
    run("broken.safetensors", stop_after=5)
    last = Path("broken.safetensors.training", runs.LAST)
    last.write_bytes(last.read_bytes()[:1000])
    run("broken.safetensors", resume=True)
    assert same(weights("broken.safetensors"), weights("whole.safetensors"))


def test_the_last_good_state_survives_divergence(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = fast.task.train_fast
    with monkeypatch.context() as patch, pytest.raises(DivergedError):
        patch.setattr(fast.task, "train_fast", diverging(train, 3))
        run("m.safetensors")
    events, _ = run("m.safetensors", resume=True)
    assert steps(events) == [3, 4, 5, 6]
