"""Events: progress and results that a generator yields; frozen, so that a listener cannot change them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")


@dataclass(frozen=True)
class Stage:
    """Start of a part of the work, for example a scale: its name, size in pixels and number of steps."""

    name: str
    height: int
    width: int
    steps: int


@dataclass(frozen=True)
class Step:
    """One step on an image; `index` counts from 1 within the stage.

    `losses` are weighted floats by term name, so that their sum is the objective; `losses` and
    `image` ([1, 3, H, W], in [0, 1], detached) are present on reported steps only.
    """

    index: int
    total: int
    losses: Mapping[str, float] | None = None
    image: Tensor | None = None


@dataclass(frozen=True)
class Checkpoint:
    """State of an image in progress after step `index` of a stage, to go on from bit for bit.

    `solver` is None where the stage can only begin anew; `image`, with which the stage began, and its number
    `stage` from 0 are filled in by the task.
    """

    index: int
    solver: Mapping[str, Any] | None
    stage: int = 0
    image: Tensor | None = None


@dataclass(frozen=True)
class TrainStep:
    """One step of a training; `index` counts from 1, `losses` are floats, on reported steps only."""

    index: int
    total: int
    losses: Mapping[str, float] | None = None
    preview: Tensor | None = None


@dataclass(frozen=True)
class Item:
    """Start of one of several inputs; `index` counts from 1."""

    index: int
    count: int
    name: str


@dataclass(frozen=True)
class Note:
    """A remark or a warning for a person, which does not stop the work."""

    text: str


@dataclass(frozen=True)
class Result:
    """End of one of several inputs, done or failed, with its record (keys: `ui.console.JSON_KEYS`)."""

    record: Mapping[str, object]


Event = Stage | Step | Checkpoint | TrainStep | Item | Note | Result


def relay(run: Generator[E, None, R], answer: Callable[[E], Iterable[F]]) -> Generator[F, None, R]:
    """Pass on, for each event of a run, the events that `answer` gives for it; returns the run's result."""
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            result: R = end.value
            return result
        yield from answer(event)


def result_of(run: Generator[object, None, R]) -> R:
    """Run a generator of events to its end; returns its result."""
    while True:
        try:
            next(run)
        except StopIteration as end:
            result: R = end.value
            return result
