"""Log, loss curves and previews of a training."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler.engine.fit import TrainingState, schedule
from styler.events import Note, TrainStep, relay
from styler.options.shared import TrainingOptions
from styler.storage.pictures.chart import chart
from styler.storage.pictures.save import save_picture
from styler.storage.runs import Log
from styler.version import __version__

CURVES, PREVIEW = "losses.png", "preview.png"

Steps = Generator[TrainStep | TrainingState, None, TrainingState]
"""A training in progress, as of `fit`."""


@dataclass(frozen=True)
class Diary:
    """What a training shows of itself.

    Attributes:
        preview: pictures made with the weights as they are, one Image.
        skipped: inputs that could not be read so far, and why.
        figures: more to log of a reported step.
        validate: step -> what to log of the weights, before a state is saved at a planned step.
        fault: log -> fault of the training at present, or ""; noted once each time that it arises.
    """

    preview: Callable[[], Tensor]
    skipped: Callable[[], Mapping[str, str]]
    figures: Callable[[], Mapping[str, float]] = dict
    validate: Callable[[int], Mapping[str, Any]] = lambda step: {}
    fault: Callable[[Log], str] = lambda log: ""


def keep(
    run: Steps, diary: Diary, log: Log, options: TrainingOptions
) -> Generator[TrainStep | TrainingState | Note, None, TrainingState]:
    """Pass on a training; log its reports, validate before states are saved, and draw afterwards."""
    begun = time.monotonic() - log.last.get("seconds", 0)
    former = ""

    def answer(event: TrainStep | TrainingState) -> Iterator[TrainStep | TrainingState | Note]:
        nonlocal former
        if isinstance(event, TrainingState):
            # Not where a run was interrupted: an unbroken one validates nothing there.
            if event.step % options.save == 0 or event.step == options.steps:
                _validate(diary, log, event.step)
            yield event
            _draw(diary, log)
            return
        if event.losses:
            log.add({**entry_of(event, options, begun, len(diary.skipped())), **diary.figures()})
        yield event
        if event.losses:
            fault = diary.fault(log)
            if fault and not former:
                yield Note(fault)
            former = fault

    return relay(run, answer)


def entry_of(event: TrainStep, options: TrainingOptions, begun: float, skipped: int) -> dict[str, Any]:
    """Entry of a reported step in the log; `begun` is when the training would have begun without a break."""
    return {
        "step": event.index,
        "losses": event.losses,
        "seconds": round(time.monotonic() - begun, 2),
        "learning_rate": options.learning_rate * schedule(event.index - 1, options),
        "skipped": skipped,
    }


def settle(diary: Diary, log: Log, step: int) -> None:
    """Log and draw what weights are worth that a training has gone back to, those of `step`."""
    _validate(diary, log, step)
    _draw(diary, log)


def _validate(diary: Diary, log: Log, step: int) -> None:
    if entry := diary.validate(step):
        log.add({"step": step, **entry})


def _draw(diary: Diary, log: Log) -> None:
    """Write loss curves and preview anew."""
    folder = log.path.parent
    save_picture(folder / CURVES, chart(log.curves()), overwrite=True)
    save_picture(folder / PREVIEW, diary.preview(), overwrite=True)


def fixed(options: TrainingOptions) -> dict[str, Any]:
    """Options that the trained network depends on, which a resumed run must have too."""
    return {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.metadata["recipe"]}


def nameless(options: TrainingOptions) -> dict[str, Any]:
    """Options as a network's file has them, without paths."""
    values = fixed(options)
    return {**values, "loss_network": Path(values["loss_network"]).name}


def about(options: TrainingOptions, last: Mapping[str, Any]) -> dict[str, Any]:
    """How a network was trained, for its file, with the log's last entry; no path."""
    return {
        "options": nameless(options),
        "losses": {name: float(f"{value:.4g}") for name, value in last["losses"].items()},
        "versions": {"styler": __version__, "torch": torch.__version__},
    }
