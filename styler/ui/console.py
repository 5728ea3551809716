"""The only printing: follows events with rich, shows notes and errors on stderr, puts results on stdout."""

from __future__ import annotations

import math
import re
import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import zip_longest
from json import dumps, loads
from typing import TYPE_CHECKING, Any, TypeVar

from rich.color import Color
from rich.columns import Columns
from rich.console import Console as RichConsole
from rich.console import Group, RenderableType
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
from rich.segment import Segment, Segments
from rich.style import Style
from rich.table import Column, Table
from rich.text import Text

from styler.events import Event, Item, Note, Result, Stage, Step, TrainStep

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

JSON_VERSION = 1
JSON_KEYS = (
    "input",  # path as given
    "output",  # path written, null if none
    "seconds",  # wall clock
    "seed",
    "device",
    "sizes",  # [[height, width], ...] in pixels, one per stage, the last is the output's
    "losses",  # {term: weighted value} of the last reported step
    "warnings",  # [text, ...], shown while this item was worked on
    "error",  # class of the error, null if all went well
    "message",  # its sentence
)

LINE_SECONDS = 10.0
PREVIEW_SECONDS = 1.0
PREVIEW_COLUMNS = 48
PREVIEW_TERMINAL = (100, 30)  # columns and rows below which the preview would crowd out the text
THUMBNAIL = (16, 8)  # columns and rows of a picture in a row of pictures
OTHER_ROWS = 8  # rows of the terminal that the preview leaves free

# C0, DEL, C1; line, paragraph and direction controls; surrogates, which stand for undecodable bytes
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str, encoding: str = "utf-8") -> str:
    """The text on one line, with backslash escapes for whatever could drive a terminal or not be encoded."""
    escaped = _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return escaped.encode(encoding, "backslashreplace").decode(encoding)


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
    height, width = image.shape[-2:]
    side = max(math.ceil(width / columns), math.ceil(height / (2 * lines)))
    rows, cols = min(side, height), min(side, width)
    means = image[0].float().unfold(1, rows, rows).unfold(2, cols, cols).mean((-2, -1))  # [3, h, w]
    pixels = means.nan_to_num().clamp(0, 1).mul(255).round().int().permute(1, 2, 0).tolist()
    return Text("\n").join(_cells(upper, lower) for upper, lower in zip_longest(pixels[::2], pixels[1::2]))


def _cells(upper: list[list[int]], lower: list[list[int]] | None) -> Text:
    row = Text(no_wrap=True)
    for index, color in enumerate(upper):
        behind = Color.from_rgb(*lower[index]) if lower else None
        row.append("▀", Style(color=Color.from_rgb(*color), bgcolor=behind))
    return row


def _listed(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in losses.items())


def _json(record: Mapping[str, object]) -> str:
    """One line of strict JSON: NaN and infinities, which it lacks, become null, and paths their text."""
    lenient = dumps({"version": JSON_VERSION, **record}, default=str)
    return dumps(loads(lenient, parse_constant=lambda _: None))


def _sentence(record: Mapping[str, Any]) -> str:
    size = "({1} x {0})".format(*record["sizes"][-1]) if record.get("sizes") else ""
    took = f"in {duration(record['seconds'])}" if record.get("seconds") is not None else ""
    done = f"Wrote {record['output']}" if record.get("output") else "Done"
    return " ".join(filter(None, (done, size, took)))


class _PaceColumn(ProgressColumn):
    """Steps per second, or seconds per step of slow ones."""

    def render(self, task: Task) -> Text:
        speed = task.speed
        if not speed:
            return Text("")
        return Text(f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each", "progress.data.speed")


class _Watch:
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
            self._preview_due = self._monotonic() + PREVIEW_SECONDS
            self._preview = half_blocks(picture, PREVIEW_COLUMNS, self._stderr.height - OTHER_ROWS)
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
        self._line_due = self._monotonic() + LINE_SECONDS
        names = [task.description for task in self._progress.tasks]
        self._stderr.print(Text(": ".join([*names, printable(text, self._stderr.encoding)])), soft_wrap=True)

    def _has_room(self) -> bool:
        terminal = self._stderr
        colors = terminal.color_system is not None and not terminal.no_color
        large = terminal.width >= PREVIEW_TERMINAL[0] and terminal.height >= PREVIEW_TERMINAL[1]
        return self._live is not None and colors and large and terminal.encoding.startswith("utf")


class Console:
    """stderr for people, stdout for results, and how much of either is wanted.

    `quiet` leaves errors and results only, `verbose` adds every reported loss, `json` turns results and
    errors into one object a line on stdout, which has "version" and all of `JSON_KEYS`. A closed stdout
    ends the program without a word (SystemExit 1, by rich).
    """

    def __init__(
        self,
        quiet: bool = False,
        verbose: bool = False,
        json: bool = False,
        *,
        stderr: RichConsole | None = None,
        stdout: RichConsole | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stderr = stderr or _stream(stderr=True)
        self._stdout = stdout or _stream(stderr=False)
        self._quiet, self._verbose, self._json = quiet, verbose, json
        self._monotonic = monotonic
        self._warnings: list[str] = []
        self._watch: _Watch | None = None

    def follow(self, events: Generator[Event, None, T]) -> T:
        """Runs the events to their end, shows them, returns what they return; always closes them."""
        with closing(events), self._watching():
            while True:
                try:
                    event = next(events)
                except StopIteration as end:
                    outcome: T = end.value
                    return outcome
                self._show(event)

    def note(self, text: str) -> None:
        """A line for people on stderr."""
        if not self._quiet:
            self._say("", text)

    def warn(self, text: str) -> None:
        """A line for people on stderr, which also goes into the next JSON object."""
        self._warnings.append(text)
        if not self._quiet:
            self._say("Warning: ", text, "yellow")

    def error(self, exception: BaseException, record: Mapping[str, Any] | None = None) -> None:
        """One line on stderr, or with `json` an object on stdout that has the keys of `record` too."""
        message = str(exception) or type(exception).__name__
        if self._json:
            self._object({**(record or {}), "error": type(exception).__name__, "message": message})
        else:
            self._say("Error: ", message, "bold red")

    def result(self, record: Mapping[str, Any]) -> None:
        """An item done or failed, with any of `JSON_KEYS`: an object on stdout with `json`, else a line."""
        if self._json:
            self._object(record)
        elif record.get("error"):
            self._say("Error: ", str(record["message"]), "bold red")
        else:
            self.note(str(record.get("message") or _sentence(record)))

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Rows on stdout: drawn on a terminal, tab-separated under the column names in a pipe, or objects."""
        if self._json:
            for row in rows:
                self._line(_json(dict(zip(columns, row, strict=True))))
            return
        encoding = self._stdout.encoding
        lines = [[printable(str(cell), encoding) for cell in row] for row in (columns, *rows)]
        if self._stdout.is_interactive:
            drawn = Table(*(Column(Text(name)) for name in lines[0]), title=Text(printable(title, encoding)))
            for line in lines[1:]:
                drawn.add_row(*map(Text, line))
            self._write(drawn)
        else:
            for line in lines:
                self._line("\t".join(line))

    def text(self, text: str) -> None:
        """Text of any number of lines on stdout."""
        for line in text.split("\n"):
            self._line(printable(line, self._stdout.encoding))

    def pictures(self, images: Iterable[Tensor], names: Iterable[str] = ()) -> None:
        """Images [1, 3, H, W] in [0, 1] over their names, on stdout if that is a terminal with colors."""
        screen = self._stdout
        if self._json or not screen.is_interactive or not screen.color_system or screen.no_color:
            return
        if not screen.encoding.startswith("utf"):
            return
        drawn = [half_blocks(image, *THUMBNAIL) for image in images]
        for picture, name in zip(drawn, names, strict=False):
            picture.append(f"\n{printable(name, screen.encoding)}")
        if drawn:
            self._write(Columns(drawn, padding=(0, 1)))

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if self._quiet:
            yield
            return
        self._watch = watch = _Watch(self._stderr, self._verbose, self._monotonic)
        try:
            watch.start()
            yield
        finally:
            self._watch = None
            watch.stop()
            watch.end_stage()

    def _show(self, event: Event) -> None:
        if isinstance(event, Note):
            self._warnings.append(event.text)
            self.note(event.text)
        elif isinstance(event, Result):
            self.result(event.record)
        elif self._watch:
            self._watch.show(event)

    def _say(self, label: str, text: str, style: str = "") -> None:
        line = Text.assemble((label, style), printable(text, self._stderr.encoding))
        self._stderr.print(line, soft_wrap=True)

    def _object(self, record: Mapping[str, Any]) -> None:
        self._line(_json({**dict.fromkeys(JSON_KEYS), "warnings": self._warnings, **record}))
        self._warnings.clear()

    def _line(self, text: str) -> None:
        # Segments go out as they are; rich would turn the tabs of a str into spaces.
        self._write(Segments([Segment(text + "\n")]))

    def _write(self, renderable: RenderableType) -> None:
        """Prints on stdout, which may be the terminal that the live region is on."""
        if self._watch:
            self._watch.stop()
        try:
            self._stdout.print(renderable, soft_wrap=isinstance(renderable, Segments))
        finally:
            if self._watch:
                self._watch.start()


def _stream(stderr: bool) -> RichConsole:
    # FORCE_COLOR makes rich take a pipe for a terminal; colors are then as wished, but bars are not.
    stream = sys.stderr if stderr else sys.stdout
    tty = stream is not None and stream.isatty()
    return RichConsole(stderr=stderr, force_interactive=None if tty else False)
