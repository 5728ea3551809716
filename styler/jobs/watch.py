"""What an image in progress leaves beside its picture: snapshots, animation, log, chart, checkpoint."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler.errors import CheckpointError, InputError, OutputError
from styler.events import Checkpoint, Event, Note, Stage, Step
from styler.image.levels import to_levels, to_unit
from styler.image.size import Size, fit, resize
from styler.jobs.recipes import Record, prove
from styler.jobs.records import save
from styler.options.optimize import OptimizeOptions
from styler.storage import disk, pickles
from styler.storage.inputs import STREAM
from styler.storage.magic import CONTAINERS
from styler.storage.names import display, fit_name
from styler.storage.pictures.chart import chart, chart_svg
from styler.storage.pictures.encode import format_of
from styler.storage.pictures.save import save_picture
from styler.storage.runs import Log
from styler.storage.videos import animation, encode
from styler.storage.videos.footage import Footage, Frame
from styler.storage.videos.join import join
from styler.storage.videos.read import codecs

_FRAMES, _FRAME_SIDE = 100, 480
"""Most frames of an animation, and their longest side in pixels."""
_MILLISECONDS, _PAUSE = 60, 2000
"""Duration of a frame, and of the last one."""
_SVG = ".svg"


@dataclass(frozen=True)
class Saved:
    """A run to go on from: its checkpoint, the frames of its animation so far, and its last losses."""

    checkpoint: Checkpoint
    frames: Sequence[Tensor]
    losses: Mapping[str, float]


@dataclass(eq=False)
class Watch:
    """A listener to one painting, which writes what the options ask for.

    Attributes:
        target: file of the picture.
        schedule: number of steps of each scale.
        size: (height, width) of the picture.
        ingredients: values that a resumed run must share, by name.
        saved: the run to go on from.
        name: of the content, which notes are given.
        step: steps done, of all scales.
        losses: of the last step.
        files: snapshots written.
    """

    target: str
    options: OptimizeOptions
    schedule: Sequence[int]
    size: Size
    ingredients: Mapping[str, Any]
    saved: Saved | None = None
    name: str = ""
    step: int = 0
    losses: Mapping[str, float] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the log; raises OutputError."""
        checkpoint = self.checkpoint or Checkpoint(0, None)
        self._stage, self._stages = checkpoint.stage - 1, list[tuple[int, int]]()
        self.step = sum(self.schedule[: checkpoint.stage]) + checkpoint.index
        self._frames = list(self.saved.frames) if self.saved else []
        self.losses = self.saved.losses if self.saved else {}
        self._every = math.ceil(self.total / _FRAMES)
        self._log = _open_log(self.options.log, self.step) if self.options.log else None
        self._losses = self._log.curves() if self._log else {}
        before = self._log.last["seconds"] if self._log else 0.0
        self._begun = time.monotonic() - before

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the run goes on from."""
        return self.saved.checkpoint if self.saved else None

    @property
    def rounded(self) -> dict[str, float]:
        """The losses of the last step as recipes have them."""
        return {name: float(f"{value:.4g}") for name, value in self.losses.items()}

    @property
    def total(self) -> int:
        """Steps of all scales."""
        return sum(self.schedule)

    def __call__(self, event: Event) -> Iterator[Event]:
        """Pass on an event; write what it is an occasion for. Checkpoints are not passed on."""
        if isinstance(event, Checkpoint):
            self._keep(event)
            return
        if isinstance(event, Note):
            event = Note(f"{self.name}: {event.text}" if self.name else event.text)
        if isinstance(event, Stage):
            self._stage += 1
        if isinstance(event, Step) and event.losses and event.image is not None:
            self.step = sum(self.schedule[: self._stage]) + event.index
            self.losses = event.losses
            self._note(event.losses)
            self._show(event.image)
        yield event

    def finish(self, image: Tensor | None, recipe: Record) -> None:
        """Write animation and chart; `image` is the finished picture, if there is one."""
        if self.options.animate and image is not None:
            frames = [*self._frames, _frame(image, self.size)]
            write_animation(self.options.animate, frames, recipe, self.options)
        if self.options.plot:
            _write_chart(self.options.plot, self._losses)

    def stopped(self) -> Note:
        """Note on a run that ended early."""
        kept = checkpoint_file(self.options)
        again = f"; go on with --resume {display(kept)}" if kept else ""
        return Note(f"stopped at step {self.step} of {self.total}{again}")

    def _note(self, losses: Mapping[str, float]) -> None:
        for name, value in {"total": sum(losses.values()), **losses}.items():
            self._losses.setdefault(name, []).append((self.step, value))
        if self._log:
            seconds = round(time.monotonic() - self._begun, 2)
            entry = {"step": self.step, "scale": self._stage + 1, "losses": losses, "seconds": seconds}
            self._log.add(entry)

    def _show(self, image: Tensor) -> None:
        if self.options.animate and (self.step - 1) % self._every == 0:
            self._frames.append(_frame(image, self.size))
        if self.options.save_every and self.step % self.options.save_every == 0:
            file = snapshot(self.target, self.step, self.total)
            recipe = {"command": "optimize", "step": self.step, "of": self.total}
            save(file, resize(image.clamp(0, 1), self.size), recipe, replace(self.options, overwrite=True))
            self.files.append(file)

    def _keep(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint, whole or not at all."""
        values = {
            "ingredients": dict(self.ingredients),
            "index": checkpoint.index if checkpoint.solver else 0,
            "solver": checkpoint.solver,
            "stage": checkpoint.stage,
            "image": checkpoint.image,
            "frames": self._frames,
            "losses": dict(self.losses),
        }
        with disk.atomic(checkpoint_file(self.options)) as file:
            torch.save(values, file)


def checkpoint_file(options: OptimizeOptions) -> str:
    """The file that holds the state: the one that is resumed from, unless another is named."""
    return options.checkpoint or options.resume


def prove_files(options: OptimizeOptions, target: str, total: int, sources: Iterable[str]) -> None:
    """Check all files that a painting will write beside its picture, before it is begun.

    Raises:
        OutputError: if one cannot be written, exists already or has no ending that is known.
        InputError: if two are the same.
    """
    if options.animate and Path(options.animate).suffix.lower() not in (*_MOVING, *CONTAINERS):
        raise OutputError(
            f"{display(options.animate)} must end in one of {', '.join((*_MOVING, *CONTAINERS))}"
        )
    if options.animate and Path(options.animate).suffix.lower() in CONTAINERS:
        codecs()  # says how to install them
    if options.plot and Path(options.plot).suffix.lower() != _SVG:
        format_of(options.plot)
    if options.save_every and target == STREAM:
        raise InputError("--save-every needs a name to add numbers to: give --output a file")
    steps = range(options.save_every, total + 1, options.save_every) if options.save_every else ()
    shots = [snapshot(target, step, total) for step in steps]
    files = [
        name for name in (options.log, options.plot, options.animate, options.checkpoint, *shots) if name
    ]
    taken: set[Path] = {Path(target).resolve()}
    for file in files:
        if Path(file).resolve() in taken:
            raise InputError(f"{display(file)} would be written twice: give each file a name of its own")
        taken.add(Path(file).resolve())
        again = options.overwrite or bool(options.resume) or file == options.checkpoint
        prove(file, again, sources)


def check_one(many: bool, options: OptimizeOptions) -> None:
    """Raise InputError for several pictures and a file that is of one."""
    for name in ("log", "plot", "animate", "checkpoint", "resume"):
        if many and getattr(options, name):
            raise InputError(f"--{name} is of one picture: paint them one at a time")


def snapshot(target: str, step: int, total: int) -> str:
    """The file of a picture on the way: NAME-0050.png."""
    path = Path(target)
    return str(path.with_name(fit_name(f"{path.stem}-{step:0{max(4, len(str(total)))}}", path.suffix)))


def load_saved(file: str, ingredients: Mapping[str, Any], device: torch.device) -> Saved:
    """The run in a checkpoint, if it had the same ingredients; no code in the file is run.

    Raises:
        CheckpointError: if it cannot be read.
        InputError: if something differs; names it.
    """
    with disk.open_input(file) as opened:
        try:
            values = dict(pickles.load(opened))
            known, frames = dict(values["ingredients"]), list(values["frames"])
            losses = {str(name): float(value) for name, value in values["losses"].items()}
            image, solver = values["image"], values["solver"]
            checkpoint = Checkpoint(int(values["index"]), solver, int(values["stage"]), image)
        except Exception as error:  # decoding a foreign file: torch raises a dozen kinds
            raise CheckpointError(
                f"{display(file)} is no checkpoint of styler optimize, or damaged: leave --resume out"
            ) from error
    for name in {**known, **ingredients}:
        if known.get(name) != ingredients.get(name):
            raise InputError(
                f"{display(file)} is of a run with other {name}; repeat those, or leave --resume out"
            )
    return Saved(replace(checkpoint, image=image.to(device)), frames, losses)


def _open_log(file: str, done: int) -> Log:
    path = Path(file)
    if not done:
        path.unlink(missing_ok=True)
    return Log(path.parent, done, path.name)


def _write_chart(file: str, curves: Mapping[str, list[tuple[float, float]]]) -> None:
    if Path(file).suffix.lower() == _SVG:
        disk.write(file, chart_svg(curves).encode())
    else:
        save_picture(file, chart(curves), overwrite=True)


# Animation

_MOVING = (".gif", ".webp")
"""Endings of animations; others are those of videos."""


def _frame(image: Tensor, size: Size) -> Tensor:
    """An image as bytes [1, 3, h, w] at the animation's size, both sides of which are even."""
    height, width = fit(size, min(_FRAME_SIDE, max(size)))
    even = max(2, height // 2 * 2), max(2, width // 2 * 2)
    return to_levels(resize(image.detach().clamp(0, 1), even)).cpu()


def write_animation(
    file: str, frames: Sequence[Tensor], recipe: Mapping[str, Any], options: OptimizeOptions
) -> None:
    """Write frames of bytes [1, 3, H, W] as an animation or a video. Raises OutputError."""
    unit = animation.MILLISECOND
    times = [_MILLISECONDS] * (len(frames) - 1) + [_PAUSE]
    shots = [
        Frame(to_unit(levels), index * _MILLISECONDS, duration)
        for index, (levels, duration) in enumerate(zip(frames, times, strict=True))
    ]
    metadata = recipe if options.metadata else None
    if Path(file).suffix.lower() in _MOVING:
        with closing(animation.AnimationWriter(file, unit)) as writer:
            for shot in shots:
                writer.add(shot)
            writer.save(file, 0, metadata, overwrite=True)
        return
    height, width = frames[0].shape[-2:]
    footage = Footage(height, width, unit, Fraction(1000, _MILLISECONDS), len(frames))
    encoding = encode.encoding_for(file, footage, (height, width), 18)
    with closing(encode.VideoWriter(file, encoding, {}, resume=False, overwrite=True)) as writer:
        for shot in shots:
            writer.add(shot, lambda: None)
        join(file, writer.segments(), encoding, last=_PAUSE, recipe=metadata, overwrite=True)
        writer.remove()
