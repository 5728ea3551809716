"""The distillation from folders of pictures to a network's file, through interruption and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from distill import closed_form, job
from distilling import options, pictures

from styler.errors import CheckpointError, InputError, OutputError, WeightsError
from styler.events import Note, Stage, TrainStep
from styler.networks.vgg import random_convolutions
from styler.storage import runs
from styler.storage.models import vgg

WIDTHS = (6, 8, 10, 12, 12)


@pytest.fixture(autouse=True)
def few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_form, "SAMPLE", 500)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two folders of pictures and one broken file."""
    folder = pictures(tmp_path / "photos")
    (folder / "0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    file = tmp_path / "teacher.safetensors"
    vgg.write(file, "vgg19", random_convolutions("vgg19", WIDTHS, seed=4))
    return file


def run(output: Path, dataset: Path, teacher: Path, stop_after: int = 10**6, **more: Any) -> list[Any]:
    """All events of one run that is asked to stop after so many steps of its training."""
    done, events = -1, []
    chosen = more.pop("options", options())
    sources = job.Sources(str(dataset), teacher=str(teacher), **more.pop("sources", {}))
    cache = str(more.pop("cache", output.parent / "cache"))
    work = job.distill(sources, cache, str(output), chosen, stop=lambda: done >= stop_after, **more)
    for event in work:
        done += isinstance(event, TrainStep) if done >= 0 else 0
        done = 0 if isinstance(event, Stage) and event.name == "distill" else done
        events.append(event)
    return events


def trained(events: list[Any]) -> list[int]:
    """Numbers of the steps of the training."""
    begun = next(i for i, e in enumerate(events) if isinstance(e, Stage) and e.name == "distill")
    return [event.index for event in events[begun:] if isinstance(event, TrainStep)]


def test_makes_a_network_that_says_how_it_was_made(tmp_path: Path, dataset: Path, teacher: Path) -> None:
    output = tmp_path / "out" / "net.safetensors"
    events = run(output, dataset, teacher, options=options(crops=24), credits="Jo, CC BY")
    assert trained(events) == [1, 2, 3, 4, 5, 6]
    assert any(isinstance(e, Note) and "broken.jpg" in e.text for e in events)
    network = vgg.read(output)
    assert (network.network, network.padding) == ("compact", "reflect")
    assert network.widths()["relu3_1"] == 4
    about = vgg.read_card(output).information["training"]
    assert about["credits"] == "Jo, CC BY"
    assert about["options"]["steps"] == 6
    assert about["teachers"] == ["teacher.safetensors"]
    assert str(tmp_path) not in str(about)
    assert sorted(path.name for path in output.parent.iterdir()) == ["cache", "net.safetensors"]


@pytest.mark.parametrize("stop_after", [1, 2, 5])
def test_resumed_is_bit_for_bit_uninterrupted(
    tmp_path: Path, dataset: Path, teacher: Path, stop_after: int
) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    run(whole, dataset, teacher)
    events = run(broken, dataset, teacher, stop_after)
    assert not broken.exists()
    assert any(isinstance(e, Note) and "--resume" in e.text for e in events)
    events = run(broken, dataset, teacher, resume=True)
    assert trained(events) == list(range(stop_after + 1, 7))
    assert broken.read_bytes() == whole.read_bytes()


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path: Path, dataset: Path, teacher: Path) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    run(whole, dataset, teacher)
    run(broken, dataset, teacher, 5)
    last = tmp_path / "broken.safetensors.training" / runs.LAST
    last.write_bytes(last.read_bytes()[:1000])
    run(broken, dataset, teacher, resume=True)
    assert broken.read_bytes() == whole.read_bytes()


def test_refusals(tmp_path: Path, dataset: Path, teacher: Path) -> None:
    output = tmp_path / "net.safetensors"
    with pytest.raises(CheckpointError, match="without --resume"):
        run(output, dataset, teacher, resume=True)
    run(output, dataset, teacher, 2)
    with pytest.raises(InputError, match=r"made with --steps 6 \(now 7\)"):
        run(output, dataset, teacher, resume=True, options=options(steps=7))
    with pytest.raises(OutputError, match="interrupted: go on with --resume"):
        run(output, dataset, teacher)
    output = tmp_path / "other.safetensors"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        run(output, tmp_path / "empty", teacher)
    with pytest.raises(InputError, match="give another --cache"):
        run(output, dataset, teacher, options=options(crop=48))
    with pytest.raises(InputError, match="--widths"):
        run(output, dataset, teacher, options=options(widths="3,x"))
    jpeg = tmp_path / "teacher.pth"
    jpeg.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(WeightsError, match=r"teacher\.pth"):
        run(output, dataset, jpeg)
    output.write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        run(output, dataset, teacher)


def test_a_second_stage_starts_from_the_first_and_keeps_what_is_frozen(
    tmp_path: Path, dataset: Path, teacher: Path
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    run(first, dataset, teacher)
    chosen = options(freeze="conv3_1", widths="3,3,3,3,4,4,4,4,4,4,4,4,6")
    events = run(
        second,
        dataset,
        teacher,
        options=chosen,
        sources={"start": str(first), "paintings": str(dataset)},
        cache=tmp_path / "other",
    )
    assert [e.name for e in events if isinstance(e, Stage)] == ["features", "frozen layers", "distill"]
    before, after = vgg.read(first), vgg.read(second)
    for name in ("conv1_1", "conv3_1", "conv3_2", "conv4_4"):
        same = before.get_buffer(f"{name}_weight").equal(after.get_buffer(f"{name}_weight"))
        assert same == (name in ("conv1_1", "conv3_1"))
    assert after.widths()["relu5_1"] == 6
    assert vgg.read_card(second).information["training"]["start"] == "first.safetensors"


def test_features_are_made_once(tmp_path: Path, dataset: Path, teacher: Path) -> None:
    run(tmp_path / "one.safetensors", dataset, teacher)
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "cache" / "teacher").glob("0*")}
    other = options(steps=1, layers=(("relu2_1", 1.0), ("relu5_1", 2.0)))
    events = run(tmp_path / "two.safetensors", dataset, teacher, options=other)
    assert set(events[-1].losses) == {"relu2_1", "relu5_1"}
    assert before == {file: file.stat().st_mtime_ns for file in (tmp_path / "cache" / "teacher").glob("0*")}


def test_crops_come_in_their_shares() -> None:
    """A third of the painted ones is noise; a kind that is not given is made up for by photos."""

    class Kind:
        def __init__(self) -> None:
            self.drawn = 0

        def crop(self, draw: Any, side: int) -> Any:
            self.drawn += 1
            return torch.full((1, 3, side, side), 0.5)

    kinds = {name: Kind() for name in ("photos", "paintings", "painted")}
    crop = job.crops_of(kinds, options(painting_share=0.25, painted_share=0.3))
    crops = [crop(item) for item in range(400)]
    assert all(x.shape == (1, 3, 32, 32) for x in crops)
    shares = {name: kind.drawn / 400 for name, kind in kinds.items()}
    assert shares == pytest.approx({"photos": 0.525, "paintings": 0.175, "painted": 0.2}, abs=0.07)
    assert torch.equal(crop(7), crops[7])
    kinds.pop("painted")
    assert job.crops_of(kinds, options(painted_share=1.0))(3).shape == (1, 3, 32, 32)


def test_runs_from_a_clone() -> None:
    """`python tools/distill` needs nothing but the clone and what styler needs."""
    command = [sys.executable, str(Path(job.__file__).parent), "train", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    assert "--teacher" in done.stdout
