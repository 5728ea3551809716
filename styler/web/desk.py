"""The desk: a queue of orders and the one thread that works on them, listening to the jobs' events."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from styler.errors import StylerError, is_shortage
from styler.events import Event, Note, Result, Stage, Step, TrainStep
from styler.storage.names import one_line
from styler.storage.pictures.load import Picture
from styler.web.menu import Order
from styler.web.shelf import small

State = Literal["queued", "running", "done", "stopped", "failed"]
_ENDED = ("done", "stopped", "failed")
MOST_WAITING = 20
_MOST_DRAFTS = 60
_MOST_KEPT = 200
_PAUSE = 0.4
"""Least seconds between two pictures of a painting in progress."""
_SIDE = 768
"""Longest side in pixels of a picture in progress."""


class FullError(StylerError):
    """A queue that has no room."""


@dataclass(eq=False)
class Work:
    """An order in the queue, at work or done; `version` grows with each change, over all orders.

    Attributes:
        draft: whether it is a small preview, which a painting in hand makes way for.
        share: done, in [0, 1].
        views: pictures in progress so far; the last one is `view`, a JPEG.
        file: the finished picture.
    """

    id: str
    number: int
    order: Order
    draft: bool
    version: int = 0
    state: State = "queued"
    stage: str = ""
    share: float = 0.0
    views: int = 0
    view: bytes = b""
    file: Path | None = None
    size: list[int] = field(default_factory=list)
    begun: float = 0.0
    seconds: float = 0.0
    message: str = ""
    notes: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def plain(self, ahead: int) -> dict[str, object]:
        """As the page gets it."""
        left = self.seconds * (1 - self.share) / self.share if self.share > 0.02 else None
        known = ("id", "number", "draft", "state", "stage", "share", "views", "size", "message", "notes")
        order = {
            "command": self.order.command,
            "label": self.order.label,
            "content": self.order.content.id,
            "name": self.order.name,
        }
        times = {"seconds": round(self.seconds, 1), "left": None if left is None else round(left)}
        return {name: getattr(self, name) for name in known} | order | times | {"ahead": ahead}


class Desk:
    """Orders, and the thread that does one after another; drafts are done between two steps of the others.

    All methods may be called from any thread.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._works: dict[str, Work] = {}
        self._lock = threading.Condition()
        self._count = self._version = 0
        self.closed = False
        self._thread = threading.Thread(target=self._run, name="styler-web", daemon=True)
        self._thread.start()

    # For the page

    def submit(self, order: Order, draft: bool) -> Work:
        """Put an order into the queue; raises FullError if that is full."""
        with self._lock:
            waiting = [w for w in self._works.values() if w.state == "queued" and w.draft == draft]
            if len(waiting) >= (_MOST_DRAFTS if draft else MOST_WAITING):
                raise FullError(f"{len(waiting)} pictures are waiting already: let some be finished first")
            self._count += 1
            work = Work(secrets.token_hex(8), self._count, order, draft)
            self._works[work.id] = work
            self._forget()
            self._change(work)
            return work

    def get(self, identity: str) -> Work | None:
        """The order of an id."""
        return self._works.get(identity)

    def stop(self, work: Work) -> None:
        """Stop an order after the step in hand, its picture kept; one that waits is not begun."""
        with self._lock:
            work.stop.set()
            if work.state == "queued":
                work.state = "stopped"
            self._change(work)

    def changed(self, since: int) -> list[tuple[int, dict[str, object]]]:
        """Orders that changed after a version, each with its own, the oldest change first."""
        with self._lock:
            found = sorted((w for w in self._works.values() if w.version > since), key=lambda w: w.version)
            return [(work.version, work.plain(self._ahead(work))) for work in found]

    def in_use(self) -> set[str]:
        """Ids of pictures that orders still need."""
        with self._lock:
            return {name for w in self._works.values() if w.state not in _ENDED for name in w.order.uses}

    def close(self, seconds: float) -> None:
        """Stop all orders, and wait so long for the one at work."""
        with self._lock:
            self.closed = True
            for work in self._works.values():
                work.stop.set()
            self._lock.notify_all()
        self._thread.join(seconds)

    def _ahead(self, work: Work) -> int:
        """How many orders come before one that waits."""
        others = (w for w in self._works.values() if w.state in ("queued", "running") and not w.draft)
        return sum(other.number < work.number for other in others) if work.state == "queued" else 0

    def _change(self, work: Work) -> None:
        with self._lock:
            self._version += 1
            work.version = self._version
            self._lock.notify_all()

    def _forget(self) -> None:
        """Drop the oldest pictures that nobody will ask for."""
        for draft, most in ((True, _MOST_DRAFTS), (False, _MOST_KEPT)):
            ended = [w for w in self._works.values() if w.draft == draft and w.state in _ENDED]
            for work in ended[: max(0, len(ended) - most)]:
                del self._works[work.id]
                shutil.rmtree(self._folder / work.id, ignore_errors=True)

    # The thread

    def _run(self) -> None:
        while not self.closed:
            with self._lock:
                work = self._next(drafts=True) or self._next(drafts=False)
                if work is None:
                    self._lock.wait()
                    continue
            self._do(work)

    def _next(self, drafts: bool) -> Work | None:
        """The order whose turn it is: of drafts the newest, for somebody waits for it."""
        waiting = [w for w in self._works.values() if w.state == "queued" and w.draft == drafts]
        return waiting[-1 if drafts else 0] if waiting else None

    def _do(self, work: Work) -> None:
        """Drive the job of an order to its end, whatever that is."""
        work.state, work.begun = "running", time.monotonic()
        self._change(work)
        target = self._folder / work.id / work.order.name
        try:
            with contextlib.closing(work.order.begin(str(target), work.stop.is_set)) as events:
                for event in self._listening(events, work):
                    self._note(work, event)
            work.file, work.state = target, "stopped" if work.stop.is_set() else "done"
        except Exception as error:  # of one picture; the page goes on
            work.state, work.message = "failed", self._sentence(error)
        work.seconds, work.view = time.monotonic() - work.begun, b""
        self._change(work)

    def _listening(self, events: Iterator[Event], work: Work) -> Iterator[Event]:
        """The events of a job; drafts that came meanwhile are done between two of them."""
        for event in events:
            yield event
            while not work.draft and not self.closed and (draft := self._next(drafts=True)):
                with torch.random.fork_rng():  # the job's random numbers stay its own
                    self._do(draft)

    def _note(self, work: Work, event: Event) -> None:
        """Write down what an event tells."""
        work.seconds, changed = time.monotonic() - work.begun, True
        if isinstance(event, Stage):
            work.stage = event.name
            work.size = [event.width, event.height]
        elif isinstance(event, Step | TrainStep):
            work.share = _share(work, event)
            image = event.image if isinstance(event, Step) else event.preview
            changed = image is not None and self._show(work, image)
        elif isinstance(event, Note):
            work.notes.append(self._clean(event.text))
        elif isinstance(event, Result) and (sizes := event.record.get("sizes")):
            work.size = _last_size(sizes)
        if changed:
            self._change(work)

    def _show(self, work: Work, image: Tensor) -> bool:
        """Keep a picture in progress, unless the last one is too young."""
        if work.views and work.seconds < _PAUSE * work.views:
            return False
        work.view, work.views = small(Picture(image.detach().cpu(), None, "", ""), _SIDE), work.views + 1
        return True

    def _sentence(self, error: Exception) -> str:
        """What went wrong, as a person at the page can use it."""
        if is_shortage(error):
            return "there is too little memory for this size: choose a smaller one"
        text = self._clean(str(error))
        return text if isinstance(error, StylerError) else f"{type(error).__name__}: {text}, a bug in styler"

    def _clean(self, text: str) -> str:
        return clean(text, self._folder)


def _share(work: Work, step: Step | TrainStep) -> float:
    """How much of an order is done after a step, by the pixels that all steps see."""
    costs = work.order.costs
    if not costs:
        return step.index / max(1, step.total)
    done, stage = 0.0, re.match(r"scale (\d+)", work.stage)
    index = min(int(stage[1]), len(costs)) - 1 if stage else 0
    done = sum(count * pixels for count, pixels in costs[:index]) + step.index * costs[index][1]
    return min(1.0, done / sum(count * pixels for count, pixels in costs))


def _last_size(sizes: object) -> list[int]:
    """[width, height] of a record's last size."""
    return [int(side) for side in reversed(sizes[-1])] if isinstance(sizes, list) else []


def clean(text: str, folder: Path) -> str:
    """A message without the folders of the session, and with flags as plain words."""
    text = re.sub(re.escape(str(folder.parent)) + r"[^\s:;,]*[/\\]", "", one_line(text))
    return re.sub(r"--([a-z]+(?:-[a-z]+)*)", lambda match: match[1].replace("-", " "), text)
