"""A run from Python: its events one by one, its picture at any time, and its result."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from styler.api.arguments import Source
from styler.api.errors import naming_arguments
from styler.api.picture import Picture
from styler.errors import DivergedError
from styler.events import Checkpoint, Event, Item, Note, Result, Step

Begin = Callable[[Sequence[str], str, Callable[[], bool]], Generator[Event, None, object]]
"""Starts a job, on files, to a file, with a function that says whether to stop."""


@contextmanager
def _without_file() -> Iterator[None]:
    """Let the error of a run that diverged carry its picture, as the job's file will be gone."""
    try:
        yield
    except DivergedError as error:
        raise error.__cause__ or error from None


class Painting(Iterator[Event]):
    """A run in progress; iterate over its events (Stage, Step, Note), or ask for the `result` at once.

    Attributes:
        picture: the picture as it stands, None before the first report.
        losses: weighted losses of the last report, by term.
        notes: remarks so far.
    """

    def __init__(self, begin: Begin, sources: Sequence[Source]) -> None:
        self.picture: Picture | None = None
        self.losses: Mapping[str, float] = {}
        self.notes: list[str] = []
        self._stops: list[Callable[[], bool]] = []
        self._result: Picture | None = None
        self._events = _run(begin, sources, self._stops)

    def __next__(self) -> Event:
        try:
            event = next(self._events)
        except StopIteration as end:
            self._result = self.picture = end.value or self._result
            raise
        if isinstance(event, Step) and event.image is not None:
            self.picture, self.losses = Picture(event.image), event.losses or self.losses
        if isinstance(event, Note):
            self.notes.append(event.text)
        return event

    def stop(self) -> None:
        """Stop after the step in hand; the result is the picture as it stands."""
        self.stop_if(lambda: True)

    def stop_if(self, asked: Callable[[], bool]) -> None:
        """Stop once `asked`, which is called between steps, says so."""
        self._stops.append(asked)

    def result(self) -> Picture:
        """The finished picture; runs what is left."""
        for _ in self:
            pass
        assert self._result, "the run was closed"
        return self._result


def _run(
    begin: Begin, sources: Sequence[Source], stops: Sequence[Callable[[], bool]]
) -> Generator[Event, None, Picture]:
    """The job in a private folder, which holds pictures from memory and the result, and is then gone."""
    with tempfile.TemporaryDirectory(prefix="styler-") as folder, naming_arguments(), _without_file():
        files = [source.file(Path(folder)) for source in sources]
        target = str(Path(folder) / "painted.png")
        for event in begin(files, target, lambda: any(asked() for asked in stops)):
            if not isinstance(event, Result | Item | Checkpoint):
                yield event
        return Picture.read(target)
