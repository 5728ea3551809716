"""The only printing: follows events with rich, shows notes and errors on stderr, puts results on stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from json import dumps, loads
from typing import TYPE_CHECKING, Any, TypeVar

from rich.columns import Columns
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.segment import Segment, Segments
from rich.table import Column, Table
from rich.text import Text

from styler.events import Checkpoint, Event, Note, Result
from styler.ui.live import LiveRegion, duration, half_blocks, printable

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

_THUMBNAIL = (16, 8)  # columns and rows of a picture in a row of pictures
_JSON_VERSION = 1
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


def _json(record: Mapping[str, object]) -> str:
    """One line of strict JSON: NaN and infinities, which it lacks, become null, and paths their text."""
    lenient = dumps({"version": _JSON_VERSION, **record}, default=str)
    return dumps(loads(lenient, parse_constant=lambda _: None))


def _sentence(record: Mapping[str, Any]) -> str:
    size = "({1} x {0})".format(*record["sizes"][-1]) if record.get("sizes") else ""
    took = f"in {duration(record['seconds'])}" if record.get("seconds") is not None else ""
    done = f"Wrote {record['output']}" if record.get("output") else "Done"
    return " ".join(filter(None, (done, size, took)))


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
        self._watch: LiveRegion | None = None

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
        drawn = [half_blocks(image, *_THUMBNAIL) for image in images]
        for picture, name in zip(drawn, names, strict=False):
            picture.append(f"\n{printable(name, screen.encoding)}")
        if drawn:
            self._write(Columns(drawn, padding=(0, 1)))

    @contextmanager
    def _watching(self) -> Iterator[None]:
        if self._quiet:
            yield
            return
        self._watch = watch = LiveRegion(self._stderr, self._verbose, self._monotonic)
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
            if self._watch:
                self._watch.end_stage()
            self.result(event.record)
        elif self._watch and not isinstance(event, Checkpoint):
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
