"""What a loop tells its caller; frozen, so that a listener cannot disturb the work."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")


@dataclass(frozen=True)
class Stage:
    """The work enters a new part, for example a scale: its name, size in pixels and number of steps."""

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
class TrainStep:
    """One step of a training; `index` counts from 1, `losses` are floats and only made on reported steps."""

    index: int
    total: int
    losses: Mapping[str, float] | None = None
    preview: Tensor | None = None


@dataclass(frozen=True)
class Item:
    """One of several inputs is begun; `index` counts from 1."""

    index: int
    count: int
    name: str


@dataclass(frozen=True)
class Note:
    """Something that a person should know but that does not stop the work."""

    text: str


@dataclass(frozen=True)
class Result:
    """One of several inputs is done or has failed: the record of it, see `console.JSON_KEYS`."""

    record: Mapping[str, object]


Event = Stage | Step | TrainStep | Item | Note | Result


def relayed(run: Generator[E, None, R], answer: Callable[[E], Iterable[F]]) -> Generator[F, None, R]:
    """Pass on, for each event of a run, what `answer` gives for it; returns what the run returns."""
    while True:
        try:
            event = next(run)
        except StopIteration as end:
            result: R = end.value
            return result
        yield from answer(event)
