"""How fast this machine paints with feed-forward networks, and in how much memory. A generator of events."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path

import torch
from torch import Tensor, nn

from styler import device
from styler.device import Form
from styler.errors import InputError
from styler.events import Event, Item
from styler.image.size import SMALLEST
from styler.networks.transform import WIDTHS, Architecture, TransformNetwork
from styler.options.fast import BenchOptions, FastOptions
from styler.storage.models import library
from styler.storage.pictures import load
from styler.tasks import fast as task

COLUMNS = ("network", "pixels", "numbers", "network alone", "end to end", "memory")
SECONDS = 1.0
"""How long each figure is measured for, at least."""
ROUNDS = 3

Row = tuple[str, str, str, str, str, str]


def bench(
    options: BenchOptions, stop: Callable[[], bool] = lambda: False
) -> Generator[Event, None, list[Row]]:
    """A row of figures, by `COLUMNS`, for each network, size and number type.

    Frames per second are the best of some rounds after one that warms up; end to end is from a JPEG file to a
    JPEG file. Memory is how far the peak rose above what the process had before.

    Args:
        options: without a `model`, networks of all widths with random weights, which are as fast.
        stop: asked between rows; once true, those that are done are returned.
    """
    place = device.choose(options.device)
    device.prepare(options.seed, options.threads)
    networks = networks_of(options)
    layout = device.form_for("float32", place).memory_format
    jobs = [
        (name, network.to(place).eval(), mix.to(place), size, Form(dtype, layout))
        for name, (network, mix) in networks.items()
        for size in sizes_of(options.sizes)
        for dtype in (torch.float32, torch.bfloat16)
    ]
    rows: list[Row] = []
    for index, (name, network, mix, size, form) in enumerate(jobs, 1):
        if stop():
            break
        number_type = str(form.dtype).removeprefix("torch.")
        yield Item(index, len(jobs), f"{name}, {size[1]} x {size[0]}, {number_type}")
        alone, whole, memory = measured(network, mix, size, form)
        pace = (f"{alone:.2f} frames/s", f"{whole:.2f} frames/s")
        rows.append((name, f"{size[1]} x {size[0]}", number_type, *pace, memory))
    return rows


def networks_of(options: BenchOptions) -> dict[str, tuple[TransformNetwork, Tensor]]:
    """Name -> network and mix of its styles: the model asked for, or one of each width."""
    if options.model:
        found = library.read_transform(library.locate(options.model, ""))
        mix = torch.zeros(1, len(found.card.styles))
        mix[0, 0] = 1
        return {Path(options.model).name: (found.network, mix)}
    return {
        f"{name} (width {width})": (TransformNetwork(Architecture(width)), torch.ones(1, 1))
        for name, width in WIDTHS.items()
    }


def sizes_of(text: str) -> list[tuple[int, int]]:
    """(height, width) of each of "512,1920x1080"; InputError for what is written otherwise or too small."""
    sizes = []
    for part in text.split(","):
        found = re.fullmatch("([0-9]{1,5})(?:x([0-9]{1,5}))?", part.strip())
        width, height = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if min(width, height) < SMALLEST:
            raise InputError(
                f"--sizes is '{text}'; write for example 512,1920x1080, with {SMALLEST} pixels at least"
            )
        sizes.append((height, width))
    return sizes


def measured(
    network: TransformNetwork, mix: Tensor, size: tuple[int, int], form: Form
) -> tuple[float, float, str]:
    """Frames per second of the network alone and from file to file, and the memory that the latter took."""
    image = torch.rand(1, 3, size[0] // 8 + 1, size[1] // 8 + 1)
    image = nn.functional.interpolate(image, size, mode="bicubic").clamp(0, 1)
    options = FastOptions(precision="float32" if form.dtype == torch.float32 else "bfloat16")
    painter = task.painter(network, mix, options, mix.device, image)
    ready = form(image.to(mix.device))
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        photo = Path(folder) / "photo.jpg"
        load.save(photo, image)

        def from_file_to_file() -> None:
            load.save(Path(folder) / "painted.jpg", painter(load.load(photo).image), overwrite=True)

        with device.peak_memory(mix.device) as risen:
            whole = pace(from_file_to_file, mix.device)
        memory = risen()
        alone = pace(lambda: network(ready, mix), mix.device)
    return alone, whole, "unknown" if memory is None else f"{memory / 1e6:.0f} MB"


def pace(run: Callable[[], object], place: torch.device) -> float:
    """How often a second it can be done."""
    run()
    best, begun = float("inf"), time.perf_counter()
    rounds = 0
    while rounds < ROUNDS or time.perf_counter() - begun < SECONDS:
        started = time.perf_counter()
        run()
        if place.type != "cpu":
            torch.accelerator.synchronize(place)
        best, rounds = min(best, time.perf_counter() - started), rounds + 1
    return 1 / best
