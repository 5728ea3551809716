"""The live region of a run on stderr: progress, losses and a preview, or plain lines without a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from rich.color import Color
from rich.console import Console as RichConsole
from rich.console import Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.style import Style
from rich.table import Column
from rich.text import Text

from styler.events import Item, Stage, Step, TrainStep
from styler.storage.names import escaped

if TYPE_CHECKING:
    from torch import Tensor

_LINE_SECONDS = 10.0
_PREVIEW_SECONDS = 1.0
_PREVIEW_COLUMNS = 48
_PREVIEW_TERMINAL = (100, 30)  # columns and rows below which the preview would crowd out the text
_OTHER_ROWS = 8  # rows of the terminal that the preview leaves free

# C0, DEL, C1; line, paragraph and direction controls; surrogates, which stand for undecodable bytes
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, encoding: str = "utf-8") -> str:
    """The text on one line, with backslash escapes for whatever could drive a terminal or not be encoded."""
    safe = _UNSAFE.sub(lambda found: escaped(found[0]), text)
    return safe.encode(encoding, "backslashreplace").decode(encoding)


def duration(seconds: float) -> str:
    """Seconds as people say them: `3.2 s`, `41 s`, `12 min 05 s`, `3 h 07 min`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def by_kind(losses: Mapping[str, float]) -> dict[str, float]:
    """The sums over the part of each term's name before the slash: content, style, tv."""
    sums: dict[str, float] = {}
    for name, value in losses.items():
        kind = name.partition("/")[0]
        sums[kind] = sums.get(kind, 0.0) + value
    return sums


def half_blocks(image: Tensor, columns: int, lines: int) -> Text:
    """A picture in at most `columns` x `lines` character cells, each two pixels: `▀` over its background.

    The first of `image` [N, 3, H, W] in [0, 1] is averaged over squares of whole pixels and never enlarged;
    what is left of a square at the right and the bottom is not shown.
    """
    from styler.image.levels import to_levels

    height, width = image.shape[-2:]
    side = max(math.ceil(width / columns), math.ceil(height / (2 * lines)))
    rows, cols = min(side, height), min(side, width)
    means = image[0].float().unfold(1, rows, rows).unfold(2, cols, cols).mean((-2, -1))  # [3, h, w]
    pixels = to_levels(means).permute(1, 2, 0).tolist()
    return Text("\n").join(_cells(upper, lower) for upper, lower in zip_longest(pixels[::2], pixels[1::2]))


def _cells(upper: list[list[int]], lower: list[list[int]] | None) -> Text:
    row = Text(no_wrap=True)
    for index, color in enumerate(upper):
        behind = Color.from_rgb(*lower[index]) if lower else None
        row.append("▀", Style(color=Color.from_rgb(*color), bgcolor=behind))
    return row


def _listed(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in losses.items())


class _PaceColumn(ProgressColumn):
    """Steps per second, or seconds per step of slow ones."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", "progress.data.speed")


class LiveRegion:
    """One run of events on stderr: a live region on a terminal, else plain lines; rich keeps the time."""

    def __init__(self, stderr: RichConsole, verbose: bool, monotonic: Callable[[], float]) -> None:
        self._stderr = stderr
        self._verbose = verbose
        self._monotonic = monotonic
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=40)),
            BarColumn(),
            MofNCompleteColumn(),
            _PaceColumn(),
            TimeRemainingColumn(),
            console=stderr,
            get_time=monotonic,
            speed_estimate_period=3600,  # the default of 30 s loses count of slow steps and of items
        )
        self._live: Live | None = None
        self._items: TaskID | None = None
        self._stage: TaskID | None = None
        self._losses: Mapping[str, float] = {}
        self._preview: Text | None = None
        self._line_due = self._preview_due = -math.inf

    def __rich__(self) -> Group:
        losses = Text(_listed(by_kind(self._losses)), no_wrap=True, overflow="ellipsis")
        return Group(self._progress, *filter(None, (losses, self._preview)))

    def start(self) -> None:
        """Opens the live region, if stderr is a terminal."""
        if self._stderr.is_interactive:
            # A fresh Live each time: one that was stopped would erase what was printed since.
            self._live = Live(self, console=self._stderr, transient=True, redirect_stdout=False)
            self._live.start(refresh=True)

    def stop(self) -> None:
        """Erases the live region and shows the cursor."""
        if self._live:
            self._live.stop()

    def show(self, event: Stage | Step | TrainStep | Item) -> None:
        """Redraw, or print a plain line from time to time."""
        match event:
            case Item():
                self._begin_item(event)
            case Stage():
                self._begin_stage(f"{event.name} {event.width} x {event.height}", event.steps)
            case Step(image=picture) | TrainStep(preview=picture):
                self._advance(event, picture)

    def end_stage(self) -> None:
        """One line about the stage in hand, if there is one, also when it was left early."""
        if self._stage is None:
            return
        task = self._progress.tasks[-1]
        took = f"{task.completed:.0f} of {task.total:.0f} steps in {duration(task.elapsed or 0)}"
        self._line(", ".join(filter(None, (took, _listed(by_kind(self._losses))))))
        self._progress.remove_task(self._stage)
        self._stage = None
        self._losses = {}

    def _begin_item(self, item: Item) -> None:
        self.end_stage()
        if self._items is None:
            self._items = self._progress.add_task("", total=item.count)
        name = printable(item.name, self._stderr.encoding)
        self._progress.update(self._items, completed=item.index - 1, description=name)
        if not self._live and self._monotonic() >= self._line_due:
            self._line(f"{item.index} of {item.count}")

    def _begin_stage(self, name: str, steps: int) -> TaskID:
        self.end_stage()
        self._stage = stage = self._progress.add_task(printable(name, self._stderr.encoding), total=steps)
        if not self._live:
            self._line(f"{steps} steps")
        return stage

    def _advance(self, step: Step | TrainStep, picture: Tensor | None) -> None:
        stage = self._begin_stage("steps", step.total) if self._stage is None else self._stage
        self._progress.update(stage, completed=step.index, total=step.total)
        self._losses = step.losses or self._losses
        if self._verbose and step.losses:
            self._line(f"step {step.index} of {step.total}, {_listed(step.losses)}")
        if picture is not None and self._monotonic() >= self._preview_due and self._has_room():
            self._preview_due = self._monotonic() + _PREVIEW_SECONDS
            self._preview = half_blocks(picture, _PREVIEW_COLUMNS, self._stderr.height - _OTHER_ROWS)
        if step.index >= step.total:
            self.end_stage()
        elif not self._live and self._monotonic() >= self._line_due:
            self._report(step)

    def _report(self, step: Step | TrainStep) -> None:
        task = self._progress.tasks[-1]
        left = task.time_remaining
        if left is None and step.index == 1:  # rich wants two steps to tell a speed
            left = (task.elapsed or 0) * (step.total - 1)
        losses = _listed(by_kind(self._losses))
        remaining = f"{duration(left)} left" if left else ""
        self._line(", ".join(filter(None, (f"step {step.index} of {step.total}", losses, remaining))))

    def _line(self, text: str) -> None:
        """Prints the text under the names of the tasks in hand and puts off the next plain line."""
        self._line_due = self._monotonic() + _LINE_SECONDS
        names = [task.description for task in self._progress.tasks]
        self._stderr.print(Text(": ".join([*names, printable(text, self._stderr.encoding)])), soft_wrap=True)

    def _has_room(self) -> bool:
        terminal = self._stderr
        colors = terminal.color_system is not None and not terminal.no_color
        large = terminal.width >= _PREVIEW_TERMINAL[0] and terminal.height >= _PREVIEW_TERMINAL[1]
        return self._live is not None and colors and large and terminal.encoding.startswith("utf")
