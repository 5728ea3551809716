"""Recipes of pictures, records of results and forecasts as plain data, and what an output has to be."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from styler.errors import InputError
from styler.image.fit import SMALLEST, Size, fit
from styler.options.fields import OutputSize
from styler.options.shared import MachineOptions, OutputOptions
from styler.storage import disk
from styler.storage.inputs import STREAM, Job
from styler.storage.names import display
from styler.version import __version__

Record = dict[str, Any]
"""Plain data about a result, by `console.JSON_KEYS`."""


class Source(Protocol):
    """An input that was read: its base name and its hash."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def sha256(self) -> str: ...  # noqa: D102


def recipe_by(
    engine: Mapping[str, str],
    command: str,
    options: MachineOptions,
    certain: Mapping[str, object],
    **entries: object,
) -> Record:
    """Recipe of a picture: all that makes it and can make it again; no path, no time.

    Args:
        engine: name and version of the package that computes.
        options: those that differ from their defaults are in the recipe.
        certain: further options, or the values that were chosen, which always are.
        entries: whatever else a command knows: networks, inputs, size.
    """
    return {
        "version": 1,
        "command": command,
        "options": dict(sorted({**options.changed(), "seed": options.seed, **certain}.items())),
        "styles": [],
        **entries,
        "versions": {"styler": __version__, **engine},
    }


def source_of(picture: Source) -> Record:
    """Entry of a recipe for an input: its base name and its hash."""
    return {"name": picture.name, "sha256": picture.sha256}


def record_of(
    source: str,
    target: str,
    options: MachineOptions,
    place: object,
    begun: float,
    sizes: Iterable[Size],
    **more: object,
) -> Record:
    """Record of a result that was begun at `begun`, by the monotonic clock, on the device `place`."""
    return {
        "input": source,
        "output": target,
        "seed": options.seed,
        "device": str(place),
        "seconds": round(time.monotonic() - begun, 2),
        "sizes": [list(size) for size in sizes],
        **more,
    }


def forecast_of(
    job: Job, sizes: Iterable[Size], facts: Iterable[str], targets: Sequence[object] = ()
) -> Record:
    """Record of a dry run, with no output and a `message`; `targets` if it is not the job's alone."""
    shown = " and ".join(display(str(target)) for target in targets or (job.target,))
    message = f"{display(job.source)} -> {shown}: {', '.join(facts)}"
    return {"input": job.source, "output": None, "sizes": [list(size) for size in sizes], "message": message}


def prove(target: str | Path, overwrite: bool, sources: Iterable[str]) -> None:
    """Raise OutputError unless `target` can be written and is none of the sources; streams are ignored."""
    disk.prove_writable(target, overwrite=overwrite, inputs=[name for name in sources if name != STREAM])


def output_size(size: Size, wanted: OutputSize, options: OutputOptions) -> Size:
    """(height, width) of a picture's output; raises InputError if it is too thin or too large."""
    output = fit(size, wanted)
    check_size(output, options)
    return output


def check_size(size: Size, options: OutputOptions) -> None:
    """Raise InputError for a (height, width) that is too thin for a network, or over the limit."""
    shown = f"the output would be {size[1]}x{size[0]} pixels"
    if min(size) < SMALLEST:
        raise InputError(f"{shown}, and {SMALLEST} a side is the least: use a larger --size")
    if size[0] * size[1] > options.max_pixels:
        raise InputError(
            f"{shown}, over the limit of {options.max_pixels:,}: use a smaller --size, or raise --max-pixels"
        )


def check_sheet(rows: int, columns: int, cell: Size, options: OutputOptions) -> None:
    """Raise InputError for a sheet whose cells of (height, width) alone are over the limit."""
    check_size((rows * cell[0], columns * cell[1]), options)
