"""The log of a training and its curves, and what the trained network's file tells of all that."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from styler.engine.fit import schedule
from styler.events import TrainStep
from styler.jobs.training import run
from styler.options.shared import TrainingOptions
from styler.processes import Group
from styler.storage.journal import Journal
from styler.storage.pictures.chart import chart
from styler.storage.pictures.save import save_picture
from styler.version import __version__

LOG, CURVES = "log.jsonl", "losses.png"


class Logbook:
    """What is written down of a training in `folder`, from step `done` on.

    Args:
        folder: where log and curves are.
        done: steps that are done already.
        options: of the training.
        skipped: tells how many pictures could not be read so far.
    """

    def __init__(self, folder: Path, done: int, options: TrainingOptions, skipped: Callable[[], int]) -> None:
        self.folder, self.options, self.skipped = folder, options, skipped
        self.journal = Journal(folder / LOG, done)
        self.begun = time.monotonic() - self.journal.last.get("seconds", 0)

    def add(self, event: TrainStep, more: Mapping[str, Any] | None = None) -> None:
        """Log a step that was reported."""
        self.journal.add({**self.entry(event), **(more or {})})

    def entry(self, event: TrainStep) -> dict[str, Any]:
        """What is logged of a step."""
        factor = schedule(event.index - 1, self.options)
        return {
            "step": event.index,
            "losses": event.losses,
            "seconds": round(time.monotonic() - self.begun, 2),
            "learning_rate": self.options.learning_rate * factor,
            "skipped": self.skipped(),
        }

    def draw(self) -> None:
        """Write the curves of the losses anew."""
        save_picture(self.folder / CURVES, chart(self.journal.curves()), overwrite=True)

    def about(self, command: str, pictures: int, credits: str, group: Group) -> dict[str, Any]:
        """How a network was trained, for its file: no path."""
        options, last = run.frozen(self.options), self.journal.last
        return {
            "command": command,
            "options": {**options, "loss_network": Path(options["loss_network"]).name},
            "processes": group.size,
            "pictures": pictures,
            "credits": credits,
            "losses": {name: float(f"{value:.4g}") for name, value in last["losses"].items()},
            "seconds_per_step": round(last["seconds"] / self.options.steps, 3),
            "versions": {"styler": __version__, "torch": torch.__version__},
        }
