"""Recipes in pictures, records of results, and saving: once for all commands."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from styler import device, processes
from styler.image.size import Size
from styler.options.shared import MachineOptions, OutputOptions
from styler.storage import disk
from styler.storage.inputs import STREAM, Job
from styler.storage.names import display, fit_name
from styler.storage.pictures.load import Picture
from styler.storage.pictures.save import save_picture
from styler.version import __version__

Record = dict[str, Any]
"""Plain data about a result, by `console.JSON_KEYS`."""


def prepare(options: MachineOptions) -> torch.device:
    """Seed, set the number of threads, and choose this process's device, which recipes and records name."""
    chosen = processes.placed(device.choose(options.device))
    device.prepare(options.seed, options.threads)
    return chosen


def recipe_of(
    command: str, options: MachineOptions, certain: Mapping[str, object], **entries: object
) -> Record:
    """Recipe of a picture: all that makes it and can make it again; no path, no time.

    Args:
        options: those that differ from their defaults are in the recipe.
        certain: further options, or the values that were chosen, which always are.
        entries: whatever else a command knows: networks, inputs, size.
    """
    machine = {"seed": options.seed, "threads": torch.get_num_threads()}
    chosen = {**options.changed(), **machine, **certain}
    return {
        "version": 1,
        "command": command,
        "options": dict(sorted(chosen.items())),
        "styles": [],
        **entries,
        "versions": {"styler": __version__, "torch": torch.__version__},
    }


def source_of(picture: Picture) -> Record:
    """Entry of a recipe for an input: its base name and its hash."""
    return {"name": picture.name, "sha256": picture.sha256}


def record_of(
    source: str,
    target: str,
    options: MachineOptions,
    place: torch.device | str,
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


def save(
    target: str | Path,
    image: Tensor,
    recipe: Mapping[str, object],
    options: OutputOptions,
    content: Picture | None = None,
) -> None:
    """Write a picture with its recipe, and with the content's transparency and credits."""
    save_picture(
        target,
        image,
        alpha=content.alpha if content else None,
        recipe=recipe if options.metadata else None,
        credits=content.credits if content and options.metadata else None,
        overwrite=options.overwrite,
        quality=options.quality,
    )


def partial_for(target: str) -> str:
    """File of the best picture if the work diverges: NAME-partial.png, or with a number if that exists."""
    if target == STREAM:
        return target
    path = Path(target)
    stems = (f"{path.stem}-partial" + (f"-{n}" if n > 1 else "") for n in itertools.count(1))
    paths = (path.with_name(fit_name(stem, path.suffix)) for stem in stems)
    return str(next(path for path in paths if not (path.exists() or path.is_symlink())))
