"""Print the figures of `styler optimize`: time of a step and of the command, and peak memory.

    python benchmarks/optimize.py [--sizes 256,512] [--rounds 5] [--peer "python neural_style.py ..."]

Steps are timed against the bare network and against a plain loop as one would write it: zero padding, Gram
matrices, torch's L-BFGS. Times are CPU seconds of one thread, the median over rounds in which all candidates
take turns, so that ratios hold on a busy machine. Weights of VGG-19 are random: they do not change the time.
The command is README's, with today's defaults and with those of before the pyramid; `--peer` is timed beside
it, and is any other tool's whole command. Memory is the peak of the whole command on a square picture, above
what its process had when torch was imported.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from styler.device import form_for
from styler.engine.memory import layers
from styler.engine.memory import memory as planned_memory
from styler.engine.minimize import minimize
from styler.engine.solvers import LBFGS
from styler.engine.terms import make_terms, typical, view_of
from styler.features import Extractor
from styler.networks.vgg import FULL_WIDTHS, layer_names, random_convolutions
from styler.options.optimize import OptimizeOptions
from styler.options.shared import CONTENT_LAYERS, STYLE_LAYERS, Precision
from styler.storage.models import vgg
from styler.storage.pictures.save import save_picture
from styler.tasks import optimize

WARM = 12  # steps after which L-BFGS's history is full
HERE = Path(__file__).parents[1]
PICTURES = (str(HERE / "examples" / "harbour.jpg"), str(HERE / "styles" / "waves.jpg"))
OLD = (
    "--coarse-steps 100 --steps 100 --content-layers relu4_2 --content-loss squared --parameterization pixels"
)

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


def plain() -> tuple[nn.Sequential, tuple[str, ...]]:
    """The network as one would write it, up to relu5_1, and its layers' names."""
    modules: list[nn.Module] = []
    convolutions, names = random_convolutions("vgg19", FULL_WIDTHS), layer_names("vgg19")
    names = names[: names.index("relu5_1") + 1]
    for name in names:
        if name.startswith("conv"):
            weight, bias = convolutions[name]
            convolution = nn.Conv2d(weight.shape[1], len(weight), 3, padding=1).requires_grad_(False)
            convolution.load_state_dict({"weight": weight, "bias": bias})
            modules.append(convolution)
        else:
            modules.append(nn.ReLU(inplace=True) if name.startswith("relu") else nn.MaxPool2d(2))
    return nn.Sequential(*modules), names


def bare(size: int) -> Callable[[], object]:
    """The plain network forward, and backward to the image."""
    net, image = plain()[0], torch.rand(1, 3, size, size, requires_grad=True)
    return lambda: torch.autograd.grad(net(image).sum(), image)


def peer(size: int) -> Callable[[], object]:
    """One step of a plain loop: Gram matrices, content at relu4_2, torch's L-BFGS."""
    net, names = plain()
    image, content, style = torch.rand(3, 1, 3, size, size).unbind()

    def features(x: torch.Tensor) -> list[torch.Tensor]:
        found = []
        for name, module in zip(names, net, strict=True):
            x = module(x)
            if name in STYLE_LAYERS:
                flat = x.flatten(2)[0]
                found.append(flat @ flat.T / flat.numel())
            elif name == "relu4_2":
                found.append(x)
        return found

    with torch.no_grad():
        wanted = [c if c.dim() == 4 else s for c, s in zip(features(content), features(style), strict=True)]
    image.requires_grad_()
    solver = torch.optim.LBFGS([image], max_iter=1, history_size=10)

    def closure() -> torch.Tensor:
        solver.zero_grad()
        errors = [(a - b).square().mean() for a, b in zip(features(image), wanted, strict=True)]
        loss = torch.stack(errors).sum()
        loss.backward()  # type: ignore[no-untyped-call]  # as in torch
        return loss

    return lambda: solver.step(closure)  # type: ignore[arg-type]  # a closure's loss may be a tensor


def stepper(extractor: Extractor, size: int, precision: Precision) -> Callable[[], object]:
    """One whole step of `styler optimize` at its last scale, with its default options otherwise."""
    options = OptimizeOptions(size=size)
    extractor = extractor.until(layers(options))
    extractor.compute_in(form_for(precision, torch.device("cpu")))
    content, style = torch.rand(1, 3, size, size), torch.rand(1, 3, size, size)
    view = view_of(extractor, options)
    usual = typical(extractor, layers(options), view.walk)
    terms = make_terms(content, [style], view, options, (size, size), usual, 0.1)
    image = optimize.parameterize(content, (size, size), options, stage=0, last=0)
    solver = LBFGS(image.parameter.data, options.history)
    events = minimize(image, view.evaluation(terms), solver, 10**6)
    return lambda: next(events)


def measure(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
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
        "plain loop, VGG-19": peer(size),
        "styler, VGG-19, float32": stepper(full(), size, "float32"),
        "styler, VGG-19, bfloat16": stepper(full(), size, "bfloat16"),
        "styler, built-in, float32": stepper(vgg.load(vgg.BUILT_IN), size, "float32"),
        "styler, built-in, bfloat16": stepper(vgg.load(vgg.BUILT_IN), size, "bfloat16"),
    }
    for _ in range(2 if size > 256 else WARM):
        for run in candidates.values():
            run()
    found = measure(candidates, rounds)
    against = found["plain loop, VGG-19"]
    for name, seconds in found.items():
        print(f"{size:>5} px  {name:<36} {1000 * seconds:8.0f} ms   {against / seconds:5.2f}x the plain loop")


def command(name: str, words: list[str]) -> None:
    """Print the user CPU seconds of a whole command."""
    before = os.times().children_user
    subprocess.run(words, capture_output=True, text=True, check=True)
    print(f"{name:<52} {os.times().children_user - before:6.1f} s of CPU")


def commands(folder: Path, others: list[str]) -> None:
    """Print the whole command's time: old defaults, new ones in each number type, others."""
    words = [sys.executable, "-m", "styler", "optimize", *PICTURES, "--threads", "1", "--overwrite", "-q"]
    words += ["-o", str(folder / "out.png")]
    for name, extra in (("before the pyramid, float32", f"{OLD} --precision float32"),
                        ("today, float32", "--precision float32"), ("today", "")):  # fmt: skip
        command(f"styler optimize, {name}", [*words, *extra.split()])
    for other in others:
        command(other[:50], shlex.split(other))


def memory(network: str, size: int, folder: Path, precision: Precision) -> None:
    """Print the peak memory of a whole `styler optimize` above that of a process that imports torch."""
    weights_file, picture = network, folder / "square.png"
    if network == "vgg19":
        weights_file = str(folder / "vgg19.safetensors")
        convolutions = random_convolutions("vgg19", FULL_WIDTHS)
        vgg.write(Path(weights_file), "vgg19", convolutions)
    save_picture(picture, torch.rand(1, 3, size, size), overwrite=True)
    words = ["optimize", str(picture), str(picture), "--network", weights_file, "--size", str(size), "-q"]
    words += ["--steps", str(WARM), "--coarse-steps", "1", "--threads", "1", "--overwrite"]
    words += ["--precision", precision, "-o", str(folder / "out.png")]
    done = subprocess.run([sys.executable, "-c", COMMAND, *words], capture_output=True, text=True, check=True)
    above, options = int(done.stdout), OptimizeOptions()
    extractor = vgg.load(weights_file).until({*STYLE_LAYERS, *CONTENT_LAYERS})
    planned = planned_memory(
        extractor.compute_in(form_for(precision, torch.device("cpu"))), options, (size, size)
    )
    shown = f"{size:>5} px  {network:<8} {precision:<9}"
    print(f"{shown} {above / 1e9:5.2f} GB at the peak, {planned / 1e9:.2f} GB planned")


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="256,512")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", action="append", default=[], help="Another tool's whole command.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sizes = [int(size) for size in arguments.sizes.split(",")]
    for size in sizes:
        speed(size, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        commands(Path(folder), arguments.peer)
        for size in sizes:
            for network in ("vgg19", vgg.BUILT_IN):
                for precision in ("float32", "bfloat16"):
                    memory(network, size, Path(folder), precision)


if __name__ == "__main__":
    main()
