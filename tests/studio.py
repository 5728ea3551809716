"""Trainings of each kind, tiny and quick, in a folder with all that they need."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from narrow import slimmed
from PIL import Image
from runs import ended, steps

from styler.events import Event, Note
from styler.jobs.training import enlarge, fast, translate
from styler.options.enlarge import TrainEnlargeOptions
from styler.options.fast import TrainFastOptions
from styler.options.shared import TrainingOptions
from styler.options.translate import TrainTranslateOptions
from styler.storage.models import library
from styler.storage.pictures import chart
from styler.storage.runs import LOG

KINDS = ("transform", "texture", "translate", "enlarge")
SHARED = {"steps": 6, "batch": 2, "crop": 32, "report": 1, "save": 2, "precision": "float32"}
SHARED["loss_network"] = "net.safetensors"
FAST = {"style_size": 64, "model_size": "tiny", "warmup": 1}
TRANSLATE = {
    "jitter": 1.0,
    "width": 4,
    "halvings": 2,
    "field": "16",
    "discriminator_width": 4,
    "validation": 0.25,
}
ENLARGE = {"factor": "2", "width": 4, "blocks": 1, "warmup": 1, "perceptual_weight": 0.1, "grid_weight": 1.0}
WILD: dict[str, dict[str, Any]] = {
    "transform": {"learning_rate": 1.0, "steps": 12, "warmup": 0},
    "texture": {"learning_rate": 1.0, "steps": 12, "warmup": 0},
    "translate": {"learning_rate": 1.0, "steps": 20, "discriminator_rate": 1e3},
    "enlarge": {"learning_rate": 1.0, "steps": 20, "warmup": 0},
}
"""Options with which a training of each kind diverges."""


def shrink_pictures(patch: pytest.MonkeyPatch) -> None:
    """Previews and curves take longer than all else."""
    patch.setattr(fast, "SAMPLE_SIDE", 32)
    patch.setattr(translate, "CELL", 24)
    patch.setattr(enlarge, "SIDE", 64)
    patch.setattr(chart, "WIDTH", 400)
    patch.setattr(chart, "HEIGHT", 120)


def write_studio(folder: Path) -> None:
    """Two styles, photos of which one is broken, pairs, and a tiny loss network."""
    for name in ("Wild Waves", "ink", *(f"photos/{index % 2}/{index}" for index in range(6))):
        noise(folder / f"{name}.png", len(name) + ord(name[-1]))
    (folder / "photos" / "0" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    write_pairs(folder / "pairs")
    slimmed(folder / "net.safetensors")


def noise(file: Path, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).resize((80, 64)).save(file)


def write_pairs(folder: Path, count: int = 8) -> None:
    """Noise, and beside it its negative."""
    folder.mkdir()
    for index in range(count):
        values = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        left = np.asarray(Image.fromarray(values).resize((40, 40)))
        Image.fromarray(np.hstack([left, 255 - left])).save(folder / f"{index}.png")


def options(kind: str, **changes: Any) -> Any:
    if kind == "translate":
        return TrainTranslateOptions(**{**SHARED, **TRANSLATE, **changes})
    if kind == "enlarge":
        return TrainEnlargeOptions(**{**SHARED, **ENLARGE, **changes})
    return TrainFastOptions(**{**SHARED, **FAST, "network": kind, **changes})


def begin(
    kind: str, output: str, chosen: TrainingOptions | None = None, **more: Any
) -> Generator[Event, None, dict[str, Any]]:
    """A training of a kind on what lies in the current folder; `more` overrules that."""
    chosen = chosen or options(kind)
    if kind == "translate":
        return translate.train_translate(more.pop("dataset", "pairs"), output, chosen, **more)
    if kind == "enlarge":
        return enlarge.train_enlarge(more.pop("dataset", "photos"), output, chosen, **more)
    dataset = more.pop("dataset", "" if kind == "texture" else "photos")
    return fast.train_fast(more.pop("styles", ("ink.png", "Wild Waves.png")), dataset, output, chosen, **more)


def train(
    kind: str, output: str, chosen: TrainingOptions | None = None, stop_after: int = 10**6, **more: Any
) -> tuple[list[Any], dict[str, Any]]:
    """All events of a training that is asked to stop after so many steps, and its record."""
    events: list[Any] = []
    stop: Callable[[], bool] = lambda: len(steps(events)) >= stop_after  # noqa: E731
    return ended(begin(kind, output, chosen, stop=stop, **more), events)


def weights(file: str) -> dict[str, torch.Tensor]:
    return library.read(Path(file)).network.state_dict()


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return list(first) == list(second) and all(torch.equal(first[name], second[name]) for name in first)


def notes(events: list[Any]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def log(output: str) -> list[dict[str, Any]]:
    """The entries of a training's log, without what time they were made."""
    lines = Path(f"{output}.training", LOG).read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "seconds"} for line in lines]
