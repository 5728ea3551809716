"""Live display: a picture that updates in place in a notebook, a bar on a terminal, nothing elsewhere."""

from __future__ import annotations

import base64
import html
import importlib
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from styler.api.painting import Painting
from styler.api.picture import Picture
from styler.events import Event, Stage, Step
from styler.signals import interruptible
from styler.storage.pictures.save import encode_picture
from styler.ui.console import Console
from styler.ui.live import by_kind, duration

_SIDE = 384
_SECONDS = 0.5
"""Between two pictures in a notebook."""


class _Handle(Protocol):
    """IPython's handle of a display."""

    def update(self, shown: object) -> None: ...


class _Shown:
    """HTML for a notebook, and text for where that is not shown."""

    def __init__(self, markup: str, text: str) -> None:
        self._markup, self._text = markup, text

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._text


def finish(run: Painting, progress: bool) -> Picture:
    """Run to the end, shown as it goes if `progress`; returns the picture."""
    if progress and (display := _notebook_display()):
        return _in_notebook(run, display)
    if progress and sys.stderr is not None and sys.stderr.isatty():
        return Console().follow(_events(run))
    return run.result()


def _events(run: Painting) -> Generator[Event, None, Picture]:
    yield from run
    return run.result()


def _notebook_display() -> Callable[[object], _Handle] | None:
    """IPython's `display`, with a handle, if this is a notebook; IPython is never loaded for it."""
    loaded = sys.modules.get("IPython")
    shell = loaded.get_ipython() if loaded else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    display = importlib.import_module("IPython.display").display
    return lambda shown: display(shown, display_id=True)


def _in_notebook(run: Painting, display: Callable[[object], _Handle]) -> Picture:
    """Run with a picture that forms in the cell; interrupting the kernel keeps it as it stands."""
    begun, due, stage = time.monotonic(), 0.0, "loading"
    handle = display(_Shown(f"<p>{stage} ...</p>", f"{stage} ..."))
    with _stopping(run):
        for event in run:
            if isinstance(event, Stage):
                stage = f"{event.name}, {event.width} x {event.height}"
            if isinstance(event, Step) and event.image is not None and time.monotonic() >= due:
                handle.update(_progress(run, stage, event))
                due = time.monotonic() + _SECONDS
        picture = run.result()
    lines = [
        *run.notes,
        f"{picture.size[0]} x {picture.size[1]} pixels in {duration(time.monotonic() - begun)}",
    ]
    handle.update(_Shown("".join(f"<p>{html.escape(line)}</p>" for line in lines), "\n".join(lines)))
    return picture


@contextmanager
def _stopping(run: Painting) -> Iterator[None]:
    """Let an interrupt of the kernel stop the run, which keeps its picture."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with interruptible() as interrupt:
        run.stop_if(interrupt)
        yield


def _progress(run: Painting, stage: str, step: Step) -> _Shown:
    losses = ", ".join(f"{name} {value:.3g}" for name, value in by_kind(run.losses).items())
    line = f"{stage}: step {step.index} of {step.total}, {losses}"
    assert run.picture
    data = base64.b64encode(encode_picture(run.picture.shrunk(_SIDE).tensor, "JPEG", quality=85)).decode()
    image = f'<img alt="the picture as it forms" src="data:image/jpeg;base64,{data}">'
    return _Shown(f"<div>{image}<p>{html.escape(line)}</p></div>", line)
