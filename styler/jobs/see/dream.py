"""Dreams of pictures, and of pictures that are zoomed into, as files. A generator of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from styler.engine.minimize import LIMITS
from styler.errors import InputError
from styler.events import Event, Note
from styler.image.levels import at_limits, same
from styler.image.size import Size, fit, resize, size_of
from styler.jobs.batch import Summary
from styler.jobs.recipes import Record, source_of
from styler.jobs.records import open_picture
from styler.jobs.see.apply import Look, Sight, apply
from styler.jobs.see.view import View, open_view
from styler.options.see import DreamOptions
from styler.signals import Heeded
from styler.storage.inputs import STREAM
from styler.storage.names import display
from styler.storage.pictures.load import Picture
from styler.tasks.see import dream as task
from styler.tasks.see.units import Unit, Value, value_of

RANDOM = "random"
_LAYERS = ("relu4_4", "relu4_3", "fire6")
"""Layers to dream of by default, of VGGs and of SqueezeNet."""
_GUIDE_SIDE = 512


def dream(
    sources: Sequence[str],
    output: str | None,
    options: DreamOptions,
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Event, None, Summary]:
    """Dream of pictures, or with `frames` make a video of dreams within dreams; a Result for each.

    Raises StylerError, as `apply`.
    """
    options.check()
    if [*sources, options.guide].count(STREAM) > 1:
        raise InputError("standard input (-) can only be one of the pictures")
    heeded = Heeded(stop)
    begin = partial(_begin, options, heeded)
    return (yield from apply(sources, output, "dream", options, begin, heeded, transparent=True))


def _begin(options: DreamOptions, stop: Callable[[], bool]) -> Generator[Event, None, tuple[View, Look]]:
    view, subject = yield from open_subject(options)
    return view, partial(_look, subject=subject, options=options, stop=stop)


def _look(
    picture: Picture, image: Tensor, subject: Subject, options: DreamOptions, stop: Callable[[], bool]
) -> Generator[Event, None, Sight]:
    subject.require_memory(size_of(image), options)
    draw = subject.draws(options.seed)
    made = yield from task.dream(image, draw, options, stop)
    yield from remarks(picture.name, image, made, options)
    return Sight(made, {**subject.entries, **draw.entries}, certain=subject.certain)


def remarks(
    name: str, before: Tensor, dreamed: Tensor, options: DreamOptions
) -> Generator[Event, None, None]:
    """Notes on a dream in which nothing has moved, or everything too far."""
    if same(dreamed, before):
        yield Note(f"{display(name)}: the result is the input, to the last level")
    elif at_limits(dreamed) and not at_limits(before):
        yield Note(f"{display(name)}: {LIMITS}: use a smaller --strength than {options.strength:g}")


# What is dreamed of


@dataclass(eq=False)
class Draws:
    """What is to rise in each next step: always the same, or a random class."""

    values: Callable[[int], tuple[str, Value]]
    count: int
    generator: torch.Generator
    names: list[str] = field(default_factory=list)

    def __call__(self) -> tuple[str, Value]:
        """Name and value for the next step."""
        name, value = self.values(int(torch.randint(self.count, (), generator=self.generator)))
        self.names.append(name)
        return name, value

    def state(self, image: Tensor) -> dict[str, Tensor]:
        """The draws so far, and the Image that they made, to go on from."""
        names = torch.tensor(list(json.dumps(self.names).encode()), dtype=torch.uint8)
        return {"image": image.cpu().contiguous(), "generator": self.generator.get_state(), "names": names}

    def resume(self, state: Mapping[str, Tensor]) -> Tensor:
        """Go on after a state; returns its Image."""
        self.generator.set_state(state["generator"])
        self.names = json.loads(bytes(state["names"].tolist()))
        return state["image"]

    @property
    def entries(self) -> Record:
        """For the recipe: the random classes in their order."""
        return {"classes": self.names} if self.count > 1 else {}


@dataclass(frozen=True, eq=False)
class Subject:
    """What is dreamed of: by number, and how many there are to draw from; entries for the recipe."""

    view: View
    layer: str
    values: Callable[[int], tuple[str, Value]]
    count: int = 1
    entries: Record = field(default_factory=dict)

    def draws(self, seed: int) -> Draws:
        """The draws of one picture."""
        return Draws(self.values, self.count, torch.Generator().manual_seed(seed))

    @property
    def certain(self) -> Record:
        """Options of the recipe that name files, by their base names."""
        return {"guide": self.entries["guide"]["name"]} if "guide" in self.entries else {}

    def require_memory(self, size: Size, options: DreamOptions) -> None:
        """Raise DeviceError if a tile of a picture of (height, width) `size` needs more than is free."""
        height, width = (min(side, options.tile) for side in size)
        tiled = max(size) > options.tile
        self.view.require_memory([self.layer], (height, width), "--tile" if tiled else "--size")


def open_subject(options: DreamOptions) -> Generator[Event, None, tuple[View, Subject]]:
    """The network, and what the options dream of. Raises StylerError."""
    view = yield from open_view(options, bool(options.class_))
    network = view.network
    if options.class_ == RANDOM:
        return view, Subject(
            view, network.classes, lambda index: _named(view, view.class_of(index)), view.count
        )
    if options.class_:
        return view, _fixed(view, view.class_of(view.find_class(options.class_)))
    layer = options.layer or next(name for name in _LAYERS if name in network.layers)
    if not options.guide:
        unit, *more = view.units(options.channel or layer)
        if more:
            raise InputError(f"--channel is {options.channel}: dream of one channel at a time")
        return view, _fixed(view, unit)
    network.needed({layer})
    guide = yield from open_picture(options.guide, options, _GUIDE_SIDE)
    image = guide.on_white
    image = resize(image, fit(size_of(image), min(_GUIDE_SIDE, max(image.shape))))
    value = task.guided(network, layer, image.to(view.device))
    named = f"{layer} of the guide", value
    return view, Subject(view, layer, lambda _: named, entries={"guide": source_of(guide)})


def _fixed(view: View, unit: Unit) -> Subject:
    named = _named(view, unit)
    return Subject(view, unit.layer, lambda _: named)


def _named(view: View, unit: Unit) -> tuple[str, Value]:
    return str(unit), value_of(view.network, unit)
