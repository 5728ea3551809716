"""Print the figures of `styler optimize`: time per step against the bare network, and peak memory.

    python benchmarks/optimize.py [--sizes 256,512] [--rounds 5]

Times are CPU seconds of one thread, the median over rounds in which all candidates take turns, so that ratios
hold on a busy machine. Weights of VGG-19 are random: they do not change the time. Memory is the peak of the
whole command on a square picture, above what its process had when torch was imported.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from styler.engine.memory import layers
from styler.engine.memory import memory as planned_memory
from styler.engine.minimize import minimize
from styler.engine.parameterization import HalfChromaImage
from styler.engine.solvers import LBFGS
from styler.features import Extractor
from styler.networks.vgg import FULL_WIDTHS, layer_names, random_convolutions
from styler.options.optimize import OptimizeOptions
from styler.storage.models import vgg
from styler.storage.pictures.save import save_picture
from styler.tasks import optimize

WARM = 12  # steps after which L-BFGS's history is full

# The whole command in a process of its own, which tells how far its memory rose above torch's (Linux).
COMMAND = """
import contextlib, pathlib, torch
def peak():
    lines = pathlib.Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
begun = peak()
from styler.ui.cli import main
with contextlib.suppress(SystemExit):
    main()
print(peak() - begun)
"""


def full() -> Extractor:
    """A VGG-19 with random weights."""
    deepest = random_convolutions("vgg19", FULL_WIDTHS)
    for name in ("conv5_2", "conv5_3", "conv5_4"):
        del deepest[name]
    return Extractor("vgg19", deepest)


def bare(size: int, padding_mode: str = "zeros") -> Callable[[], None]:
    """The plain network as one would write it: forward, and backward to the image, up to relu5_1."""
    modules: list[nn.Module] = []
    for name in layer_names("vgg19"):
        if name.startswith("conv"):
            weight, bias = random_convolutions("vgg19", FULL_WIDTHS)[name]
            convolution = nn.Conv2d(weight.shape[1], len(weight), 3, padding=1, padding_mode=padding_mode)
            convolution.requires_grad_(False).load_state_dict({"weight": weight, "bias": bias})
            modules.append(convolution)
        else:
            modules.append(nn.ReLU(inplace=True) if name.startswith("relu") else nn.MaxPool2d(2))
        if name == "relu5_1":
            break
    net = nn.Sequential(*modules)
    image = torch.rand(1, 3, size, size, requires_grad=True)
    return lambda: torch.autograd.grad(net(image).sum(), image) and None


def stepper(extractor: Extractor, size: int, steps: int = 10**6) -> Callable[[], None]:
    """One whole step of `styler optimize` with its default options: objective, gradient and L-BFGS."""
    options = OptimizeOptions(size=size)
    content, style = torch.rand(1, 3, size, size), torch.rand(1, 3, size, size)

    view = optimize.view_of(extractor, options)
    usual = optimize.typical(extractor, layers(options), view.walk)
    terms = optimize.make_terms(
        content, [style], view, options, (size, size), usual, extractor.content_weight
    )
    image = HalfChromaImage(content)
    solver = LBFGS(image.parameter.data, options.history)
    events = minimize(image, view.evaluation(terms), solver, steps)
    return lambda: next(events) and None


def measure(candidates: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median CPU seconds of each candidate, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, run in candidates.items():
            begun = time.process_time()
            run()
            times[name].append(time.process_time() - begun)
    return {name: statistics.median(values) for name, values in times.items()}


def speed(size: int, rounds: int) -> None:
    """Print one block of the table."""
    candidates = {
        "bare VGG-19, forward and backward": bare(size),
        "the same with replicated borders": bare(size, "replicate"),
        "styler step, VGG-19": stepper(full(), size),
        "styler step, built-in": stepper(vgg.load(vgg.BUILT_IN), size),
    }
    for _ in range(2 if size > 256 else WARM):
        for name, run in candidates.items():
            if name.startswith("styler"):
                run()
    for name in list(candidates)[:2]:
        candidates[name]()
    found = measure(candidates, rounds)
    whole = found["styler step, VGG-19"]
    for name, seconds in found.items():
        print(f"{size:>5} px  {name:<36} {1000 * seconds:8.0f} ms   {whole / seconds:5.2f}x VGG-19's speed")


def memory(network: str, size: int, folder: Path) -> None:
    """Print the peak memory of a whole `styler optimize` above that of a process that imports torch."""
    weights_file, picture = network, folder / "square.png"
    if network == "vgg19":
        weights_file = str(folder / "vgg19.safetensors")
        convolutions = random_convolutions("vgg19", FULL_WIDTHS)
        vgg.write(Path(weights_file), "vgg19", convolutions)
    save_picture(picture, torch.rand(1, 3, size, size), overwrite=True)
    words = ["optimize", str(picture), str(picture), "--network", weights_file, "--size", str(size), "-q"]
    words += ["--steps", str(WARM), "--threads", "1", "--overwrite", "-o", str(folder / "out.png")]
    done = subprocess.run([sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, check=True)
    above = int(done.stdout)
    extractor = vgg.load(weights_file)
    planned = planned_memory(extractor, OptimizeOptions(), (size, size))
    print(f"{size:>5} px  {network:<8} {above / 1e9:5.2f} GB at the peak, {planned / 1e9:.2f} GB planned")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [int(size) for size in arguments.sizes.split(",")]
    for size in sizes:
        speed(size, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            for network in ("vgg19", vgg.BUILT_IN):
                memory(network, size, Path(folder))


if __name__ == "__main__":
    main()
