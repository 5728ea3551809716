"""paint, painting, fast and translate: the commands' jobs as functions from pictures to pictures."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import replace
from typing import Literal, Unpack

from styler.api.arguments import PictureLike, Source, options_from, source_of
from styler.api.display import finish
from styler.api.keywords import FastKeywords, PaintKeywords, TranslateKeywords
from styler.api.painting import Painting
from styler.api.picture import Picture
from styler.errors import InputError
from styler.events import Event
from styler.jobs import fast as fast_job
from styler.jobs import optimize as optimize_job
from styler.jobs import translate as translate_job
from styler.options.fast import FastOptions
from styler.options.optimize import OPTIMIZE_PRESETS, OptimizeOptions
from styler.options.translate import TranslateOptions

StyleLike = PictureLike | tuple[PictureLike, float]
"""A style for `paint`: a picture, the name of one that comes with styler, or either with a weight."""


def paint(
    photo: PictureLike,
    style: StyleLike | Sequence[StyleLike],
    *,
    preset: Literal["styler", "gatys"] = "styler",
    progress: bool = True,
    **options: Unpack[PaintKeywords],
) -> Picture:
    """Paint a photo in the style of a picture, or of several blended: what `styler optimize` does.

    Args:
        photo: a file's name, a Picture, a PIL image, an array [H, W, C] or a tensor [C, H, W].
        style: such a picture or the name of one of `styles`; a list blends, as ["a.jpg", ("b.jpg", 0.3)].
        preset: "gatys" sets the defaults of Gatys et al. 2016.
        progress: show the picture as it forms in a notebook, a bar on a terminal.
        options: those of `styler optimize`, as size=1024, style_weight=2, color="photo".

    Raises:
        StylerError: whose message names the argument, and what to do next.
    """
    return finish(painting(photo, style, preset=preset, **options), progress)


def painting(
    photo: PictureLike,
    style: StyleLike | Sequence[StyleLike],
    *,
    preset: Literal["styler", "gatys"] = "styler",
    **options: Unpack[PaintKeywords],
) -> Painting:
    """A run of `paint`: iterate over its events; `.picture` at any time, `.stop()`, `.result()`."""
    if preset not in OPTIMIZE_PRESETS:
        raise InputError(f"preset is {preset!r}; choose one of {', '.join(OPTIMIZE_PRESETS)}")
    chosen = options_from(
        "paint",
        OptimizeOptions,
        {**OPTIMIZE_PRESETS[preset], **options},
        PaintKeywords.__annotations__,
    )
    weighted = list(_styles(style))
    sources = [source_of(photo, "photo"), *(source for source, _ in weighted)]

    def begin(files: Sequence[str], target: str, stop: Callable[[], bool]) -> Generator[Event, None, object]:
        words = [name + weight for name, (_, weight) in zip(files[1:], weighted, strict=True)]
        return optimize_job.optimize(files[:1], words, target, chosen, stop)

    return Painting(begin, sources)


def fast(
    photo: PictureLike,
    style: PictureLike = "",
    *,
    progress: bool = True,
    **options: Unpack[FastKeywords],
) -> Picture:
    """Paint a photo in one pass of a trained network: what `styler fast` does.

    Args:
        photo: as for `paint`.
        style: one of `styles().names("trained")`, or several of one network, as "wave:0.6,ink:0.4"; or a
            painting, as for `paint`, which is learned on the photo first.
        progress: as for `paint`.
        options: those of `styler fast`, as strength=0.7, color="photo", model="mine.safetensors".
    """
    named = isinstance(style, str)  # which may be a blend of names as well
    values = {"style": style if named else "", **options}
    chosen = options_from("fast", FastOptions, values, {*FastKeywords.__annotations__, "style"})
    sources = [source_of(photo, "photo"), *([] if named else [source_of(style, "style")])]

    def begin(files: Sequence[str], target: str, stop: Callable[[], bool]) -> Generator[Event, None, object]:
        wanted = chosen if named else replace(chosen, style=files[1])
        return fast_job.fast(files[:1], target, wanted, stop)

    return finish(Painting(begin, sources), progress)


def translate(
    picture: PictureLike,
    checkpoint: str = "",
    *,
    progress: bool = True,
    **options: Unpack[TranslateKeywords],
) -> Picture:
    """Translate a picture by a network that was trained on pairs: what `styler translate` does.

    Args:
        picture: as `photo` for `paint`.
        checkpoint: name or file of the network; without, the only one that is installed.
        progress: as for `paint`.
        options: those of `styler translate`, as from_photo=True.
    """
    values = {"checkpoint": checkpoint, **options}
    chosen = options_from(
        "translate", TranslateOptions, values, {*TranslateKeywords.__annotations__, "checkpoint"}
    )

    def begin(files: Sequence[str], target: str, stop: Callable[[], bool]) -> Generator[Event, None, object]:
        return translate_job.translate(files, target, chosen, stop)

    return finish(Painting(begin, [source_of(picture, "picture")]), progress)


def _styles(style: StyleLike | Sequence[StyleLike]) -> Iterable[tuple[Source, str]]:
    """Source and weight, as in `:0.3`, of each style."""
    several = style if isinstance(style, list) else [style]
    if not several:
        raise InputError("style is an empty list: give a style, or several")
    for index, entry in enumerate(several, 1):
        argument = "style" if len(several) == 1 else f"style-{index}"
        value, weight = entry if isinstance(entry, tuple) else (entry, None)
        if weight is not None and not 0 <= weight < 1e9:
            raise InputError(f"the weight of {argument} is {weight!r}; it must be a number from 0 on")
        yield source_of(value, argument), "" if weight is None else f":{weight:.9f}"
