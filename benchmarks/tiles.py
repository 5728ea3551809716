"""Print memory and time of `styler optimize` with and without tiles.

    python benchmarks/tiles.py [--sizes 1024x1024,2048x2048] [--tiles off,512,1024] [--networks compact,vgg19]

Each line is a process of its own: the peak of its memory above that when torch was imported (Linux), what was
planned, and the CPU seconds of a step, the median of those after the first, in float32. A longer run takes
more, by the history of L-BFGS that it fills; with `--filled` that is there from the start. Weights of VGG-19
are random. `--memory` gives `--tile auto` that budget in gigabytes.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch


def peak() -> int:
    """Bytes of this process's memory at its peak so far."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def measure(words: list[str]) -> None:
    """Run `styler optimize` on a content and a style, print bytes and seconds of a step as JSON."""
    before = peak()  # torch is there
    from styler.events import Note, Step
    from styler.jobs.optimize import optimize
    from styler.options.optimize import OptimizeOptions
    from styler.tasks import optimize as task

    class Filled(task.LBFGS):
        """L-BFGS whose history takes memory before it is used."""

        def __init__(self, x: torch.Tensor, history: int) -> None:
            super().__init__(x, history)
            self.s.zero_(), self.y.zero_()

    content, style, output, options = *words[:3], json.loads(words[3])
    if options.pop("filled"):
        task.LBFGS = Filled
    times, notes = [], []
    for event in optimize([content], [style], output, OptimizeOptions.of(options)):
        times += [time.process_time()] if isinstance(event, Step) else []
        notes += [event.text] if isinstance(event, Note) and "painted" in event.text else []
    steps = [later - sooner for sooner, later in itertools.pairwise(times)]
    print(json.dumps([peak() - before, statistics.median(steps or [math.nan]), notes]))


def pictures(folder: Path, size: tuple[int, int]) -> list[str]:
    """Two pictures of clouds with grain."""
    from styler.storage.pictures.save import save_picture

    paths = [folder / f"{name}-{size[0]}.jpg" for name in ("content", "style")]
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        clouds = torch.nn.functional.interpolate(torch.rand(1, 3, 24, 32), size, mode="bicubic")
        save_picture(path, (clouds + 0.05 * torch.randn(clouds.shape)).clamp(0, 1), overwrite=True)
    return [str(path) for path in paths]


def network_file(name: str, folder: Path) -> str:
    """The name of the built-in network, or for others a file of random weights."""
    from styler.networks.vgg import FULL_WIDTHS, random_convolutions
    from styler.storage.models import vgg

    path = folder / f"{name}.safetensors"
    if name == vgg.BUILT_IN:
        return name
    if not path.exists():
        vgg.write(path, name, random_convolutions(name, FULL_WIDTHS))
    return str(path)


def figures(names: list[str], options: dict[str, object]) -> str:
    """Memory, time and plan of one run."""
    command = [sys.executable, __file__, "--child", *names, json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return done.stderr.splitlines()[-1]
    memory, seconds, notes = json.loads(done.stdout)
    return f"{memory / 1e9:5.2f} GB {seconds:7.1f} s a step  {' '.join(notes)}"


def main() -> None:
    """Print a line for each network, size and tile."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sizes", default="1024x1024,2048x2048")
    words.add_argument("--tiles", default="off,512,1024")
    words.add_argument("--networks", default="compact,vgg19")
    words.add_argument("--steps", type=int, default=3)
    words.add_argument("--memory", type=float, default=0)
    words.add_argument("--filled", action="store_true")
    chosen = words.parse_args()
    options: dict[str, object] = {"steps": chosen.steps, "memory": chosen.memory, "filled": chosen.filled}
    options |= {"scales": 1, "threads": 1, "overwrite": True, "precision": "float32"}
    lists = (getattr(chosen, name).split(",") for name in ("networks", "sizes", "tiles"))
    with tempfile.TemporaryDirectory() as folder:
        for network, size, tile in itertools.product(*lists):
            width, height = map(int, size.split("x"))
            names = [*pictures(Path(folder), (height, width)), str(Path(folder) / "out.png")]
            options |= {"network": network_file(network, Path(folder)), "size": size, "tile": tile}
            print(f"{network:<8} {size:>9}  tile {tile:<5} {figures(names, options)}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        measure(sys.argv[2:])
    else:
        main()
