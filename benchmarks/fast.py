"""Print the figures of the feed-forward networks, in three tables.

    python benchmarks/fast.py [--tables files,painting,training] [--model starry-night]
                              [--sizes 512,1920x1080] [--size 512] [--rounds 3]

Files are painted by `styler fast` from JPEG to JPEG, with all threads: frames per second, and how far memory
rises above what the process had before. The other tables compare painting and training with plain torch: the
network and the loop that one writes without further thought, after the ones that everybody starts from,
Johnson's network of width 32 with reflection layers, nearest upsampling and instance norms; in the loop
VGG-16 up to relu4_3 on photos and paintings, all in float32. Times are CPU seconds of one thread, the least
over rounds in which all candidates take turns, so that ratios hold on a busy machine. VGG-16's weights are
random: they do not change the time.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler import device
from styler.device import Form
from styler.events import Item, Result
from styler.features import Extractor
from styler.jobs import fast
from styler.networks.layers import Mode
from styler.networks.residual import WIDTHS, ResidualNetwork
from styler.networks.vgg import FULL_WIDTHS, random_convolutions
from styler.options.fast import FAST_PRESETS, FastOptions, TrainFastOptions
from styler.options.fields import parse_size
from styler.plans import ResidualArchitecture
from styler.storage.models import vgg as weights
from styler.storage.pictures.save import save_picture
from styler.tasks.train_fast import make_targets, train_fast

Candidates = dict[str, Callable[[], None]]
LAYOUT = torch.channels_last


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--tables", default="files,painting,training")
    words.add_argument("--model", default="starry-night", help="network that paints the files")
    words.add_argument("--sizes", default="512,1920x1080", help="sizes of the files")
    words.add_argument("--size", type=int, default=512, help="side of the picture in the second table")
    words.add_argument("--rounds", type=int, default=3)
    chosen = words.parse_args()
    tables = chosen.tables.split(",")
    torch.manual_seed(0)
    if "files" in tables:
        print(f"\n{chosen.model}, from JPEG to JPEG, {torch.get_num_threads()} threads")
        for size in chosen.sizes.split(","):
            for precision in ("float32", "bfloat16"):
                files(size, FastOptions(model=chosen.model, precision=precision), chosen.rounds)
    torch.set_num_threads(1)
    if "painting" in tables:
        table(f"one picture of {chosen.size} x {chosen.size}", painting(chosen.size), chosen.rounds)
    if "training" in tables:
        table("one training step of 4 pictures", training(), chosen.rounds)


def files(text: str, options: FastOptions, rounds: int) -> None:
    """Print frames per second, of the best file after one that warms up, and the rise of memory."""
    size = parse_size(text)
    height, width = size if isinstance(size, tuple) else (size or 512, size or 512)
    photo = F.interpolate(torch.rand(1, 3, height // 8 + 1, width // 8 + 1), (height, width), mode="bicubic")
    times, begun = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        names = [str(Path(folder, f"{index}.jpg")) for index in range(1 + rounds)]
        for name in names:
            save_picture(name, photo.clamp(0, 1))
        with device.peak_memory(device.choose(options.device)) as rise:
            for event in fast.fast(names, str(Path(folder, "painted")), options):
                if isinstance(event, Item):
                    begun = time.perf_counter()
                if isinstance(event, Result):
                    times.append(time.perf_counter() - begun)
            memory = rise()
    shown = "unknown" if memory is None else f"{memory / 1e6:.0f} MB"
    print(f"{text:>10} {options.precision:>9} {1 / min(times[1:]):8.2f} frames/s, memory {shown}", flush=True)


def table(title: str, candidates: Candidates, rounds: int) -> None:
    """Time the candidates in turns and print each with its ratio to the first."""
    best = {name: float("inf") for name in candidates}
    for _ in range(rounds + 1):  # the first round warms up
        for name, run in candidates.items():
            begun = time.process_time()
            run()
            best[name] = min(best[name], time.process_time() - begun)
    plain = next(iter(best.values()))
    print(f"\n{title}, CPU time of one thread")
    for name, seconds in best.items():
        print(f"{name:52} {1000 * seconds:8.0f} ms {1 / seconds:8.2f}/s {plain / seconds:7.2f} x")


def painting(size: int) -> Candidates:
    """The plain network, and ours by width and number type."""
    image, mix, bare = torch.rand(1, 3, size, size), torch.ones(1, 1), plain_network()

    def ours(width: int, dtype: torch.dtype) -> Callable[[], None]:
        form = Form(dtype, LAYOUT)
        network = ResidualNetwork(ResidualArchitecture(width=width)).to(memory_format=LAYOUT)
        return inference(lambda: network(form(image), Mode(mix=mix)))

    found = {"plain, width 32, float32": inference(lambda: bare(image * 255))}
    for name, width in WIDTHS.items():
        for dtype in (torch.float32, torch.bfloat16):
            found[f"styler, {name} (width {width}), {str(dtype).removeprefix('torch.')}"] = ours(width, dtype)
    return found


def inference(run: Callable[[], object]) -> Callable[[], None]:
    """The same without a result, and without keeping anything for gradients."""

    def quietly() -> None:
        with torch.inference_mode():
            run()

    return quietly


def training() -> Candidates:
    """The plain loop, ours with the same network and loss network, with the built-in one, and by preset."""
    paper, laptop = TrainFastOptions(**FAST_PRESETS["paper"]), TrainFastOptions(**FAST_PRESETS["laptop"])
    deep = [
        f"conv{block}_{n}" for block, count in ((1, 2), (2, 2), (3, 3), (4, 3)) for n in range(1, count + 1)
    ]
    random = random_convolutions("vgg16", FULL_WIDTHS)
    vgg, compact = Extractor("vgg16", {name: random[name] for name in deep}), weights.load("compact")
    small_features = TrainFastOptions(model_size="full", crop=256)
    return {
        "plain loop, width 32, VGG-16, 256 px, float32": plain_loop(vgg),
        "preset paper (the same in styler)": ours(paper, vgg),
        "width 32, built-in loss network, 256 px": ours(small_features, compact),
        "preset laptop (width 16, built-in, 192 px)": ours(laptop, compact),
    }


def ours(options: TrainFastOptions, extractor: Extractor) -> Callable[[], None]:
    """One step of `train_fast` a call."""
    photos = torch.rand(options.batch, 3, options.crop, options.crop)
    network = ResidualNetwork(ResidualArchitecture(width=WIDTHS[options.model_size])).to(memory_format=LAYOUT)
    targets = make_targets(extractor, [torch.rand(1, 3, 256, 256)], [photos], options)
    steps: Iterator[object] = train_fast(network, extractor, targets, lambda index: photos, options)
    return lambda: void(next(steps))


def void(_: object) -> None:
    """Drop a result."""


def plain_loop(vgg: Extractor) -> Callable[[], None]:
    """One step a call of the loop that everybody starts from."""
    network = plain_network()
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    loss_network = PlainVGG(vgg)
    photos = 255 * torch.rand(4, 3, 256, 256)
    style = loss_network(normalized(255 * torch.rand(4, 3, 256, 256)))
    wanted = [gram(x) for x in style]

    def step() -> None:
        optimizer.zero_grad()
        painted = network(photos)
        seen, content = loss_network(normalized(painted)), loss_network(normalized(photos))
        loss = 1e5 * F.mse_loss(seen[1], content[1])
        for x, target in zip(seen, wanted, strict=True):
            loss = loss + 1e10 * F.mse_loss(gram(x), target)
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def normalized(image: Tensor) -> Tensor:
    """0..255 as torchvision's networks want it."""
    mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return (image / 255 - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)


def gram(x: Tensor) -> Tensor:
    """Gram matrices of [N, C, H, W], divided by all but N."""
    flat = x.flatten(2)
    return flat.bmm(flat.transpose(1, 2)) / x[0].numel()


class PlainVGG(nn.Module):
    """VGG-16 with zero padding; gives relu1_2, relu2_2, relu3_3 and relu4_3."""

    def __init__(self, vgg: Extractor) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for block, count in enumerate((2, 2, 3, 3), 1):
            layers: list[nn.Module] = [nn.MaxPool2d(2)] if block > 1 else []
            for n in range(1, count + 1):
                weight = vgg.get_buffer(f"conv{block}_{n}_weight")
                conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
                conv.weight.data = weight
                layers += [conv, nn.ReLU(inplace=True)]
            self.blocks.append(nn.Sequential(*layers))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What each block ends with."""
        found = []
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return found


class PlainResidual(nn.Module):
    """x plus what two convolutions make of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *convolution(channels, channels, 3), *convolution(channels, channels, 3)[:-1]
        )

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> the same."""
        changed: Tensor = self.body(x)
        return changed + x


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    """Reflection, convolution, instance norm and ReLU."""
    pad, conv = nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)
    return [pad, conv, nn.InstanceNorm2d(outputs, affine=True), nn.ReLU()]


def plain_network() -> nn.Sequential:
    """Johnson's network of width 32 from torch's own layers."""
    return nn.Sequential(
        *convolution(3, 32, 9),
        *convolution(32, 64, 3, 2),
        *convolution(64, 128, 3, 2),
        *(PlainResidual(128) for _ in range(5)),
        nn.Upsample(scale_factor=2),
        *convolution(128, 64, 3),
        nn.Upsample(scale_factor=2),
        *convolution(64, 32, 3),
        nn.ReflectionPad2d(4),
        nn.Conv2d(32, 3, 9),
    )


if __name__ == "__main__":
    main()
