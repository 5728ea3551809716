"""The distillation from a folder of pictures to a network's file, through interruption and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distill import job
from distill.options import DistillOptions
from PIL import Image

from styler.errors import CheckpointError, InputError, OutputError, WeightsError
from styler.events import Note, TrainStep
from styler.networks.vgg import random_convolutions
from styler.storage import runs
from styler.storage.models import vgg

WIDTHS = (6, 8, 10, 12, 12)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two folders of pictures and one broken file."""
    for index in range(4):
        folder = tmp_path / "photos" / str(index % 2)
        folder.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(index).integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(values).resize((80, 64)).save(folder / f"{index}.png")
    (tmp_path / "photos" / "0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return tmp_path / "photos"


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    file = tmp_path / "teacher.safetensors"
    vgg.write(file, "vgg19", random_convolutions("vgg19", WIDTHS, seed=4))
    return file


def options(**changes: Any) -> DistillOptions:
    values = {"steps": 6, "batch": 2, "crop": 32, "widths": "3,3,4,4,4", "report": 1, "save": 2, "warmup": 1}
    return DistillOptions(**{**values, **changes})


def run(output: Path, dataset: Path, teacher: Path, stop_after: int = 10**6, **more: Any) -> list[Any]:
    """All events of one run that is asked to stop after so many steps."""
    done = 0
    events = []
    chosen = more.pop("options", options())
    work = job.distill(
        str(dataset), None, str(teacher), str(output), chosen, stop=lambda: done >= stop_after, **more
    )
    for event in work:
        done += isinstance(event, TrainStep)
        events.append(event)
    return events


def test_makes_a_network_that_says_how_it_was_made(tmp_path: Path, dataset: Path, teacher: Path) -> None:
    output = tmp_path / "out" / "net.safetensors"
    events = run(output, dataset, teacher, credits="Jo, CC BY")
    assert [e.index for e in events if isinstance(e, TrainStep)] == [1, 2, 3, 4, 5, 6]
    assert any(isinstance(e, Note) and "broken.jpg" in e.text for e in events)
    network = vgg.read(output)
    assert (network.network, network.padding) == ("compact", "reflect")
    assert network.widths()["relu3_1"] == 4
    about = vgg.read_card(output).information["training"]
    assert about["credits"] == "Jo, CC BY"
    assert about["options"]["steps"] == 6
    assert about["teachers"] == ["teacher.safetensors"]
    assert str(tmp_path) not in str(about)
    assert sorted(path.name for path in output.parent.iterdir()) == ["net.safetensors"]


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
    assert [e.index for e in events if isinstance(e, TrainStep)] == list(range(stop_after + 1, 7))
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
    with pytest.raises(InputError, match="other options"):
        run(output, dataset, teacher, resume=True, options=options(steps=7))
    with pytest.raises(OutputError, match="interrupted: go on with --resume"):
        run(output, dataset, teacher)
    output = tmp_path / "other.safetensors"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no pictures"):
        run(output, tmp_path / "empty", teacher)
    with pytest.raises(InputError, match="--widths"):
        run(output, dataset, teacher, options=options(widths="3,x"))
    jpeg = tmp_path / "teacher.pth"
    jpeg.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(WeightsError, match=r"teacher\.pth"):
        run(output, dataset, jpeg)
    output.write_bytes(b"")
    with pytest.raises(OutputError, match="--overwrite"):
        run(output, dataset, teacher)


def test_runs_from_a_clone() -> None:
    """`python tools/distill` needs nothing but the clone and what styler needs."""
    command = [sys.executable, str(Path(job.__file__).parent), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"PATH": ""})
    assert done.returncode == 0, done.stderr
    assert "--teacher" in done.stdout
