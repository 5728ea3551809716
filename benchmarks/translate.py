"""Print the times of paired translation: pictures and training steps against plain torch, in one run.

    python benchmarks/translate.py [--sizes 256,512,1024] [--rounds 3] [--skip-training]

The plain generator, discriminator and loop are what one writes without further thought, after the ones that
everybody starts from: nested U-Net blocks, batch norms in training mode, a discriminator's step and then a
generator's, torch's own Adam; bfloat16 is autocast. Times are CPU seconds of one thread, the least over
rounds in which all candidates take turns, so that ratios hold on a busy machine.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import torch
import torch.nn.functional as F
from fast import LAYOUT, Candidates, inference, table, void
from torch import Tensor, nn

from styler.device import Form
from styler.image.conditions import Pair
from styler.networks.unet import UNet
from styler.options.translate import TRANSLATE_PRESETS, TrainTranslateOptions
from styler.tasks.train_translate import new_pix2pix, train_translate

TYPES = (torch.float32, torch.bfloat16)
SMALL = {"width": 32, "crop": 128, "batch": 4, "halvings": 7}
"""The smaller of the trainings that are timed: what a CPU learns overnight."""


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--sizes", default="256,512,1024", help="sides of the pictures that are translated")
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--skip-training", action="store_true")
    chosen = words.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for side in map(int, chosen.sizes.split(",")):
        table(f"U-Net of 54.4 M weights, one picture of {side} x {side}", translating(side), chosen.rounds)
    if chosen.skip_training:
        return
    classic = TRANSLATE_PRESETS["classic"]
    title = "one training step, U-Net of 54.4 M weights and 70 x 70 discriminator, 1 pair of 256 x 256"
    table(title, training(TrainTranslateOptions(**classic)), chosen.rounds)
    title = "one training step, U-Net of 10.5 M weights and 70 x 70 discriminator, 4 pairs of 128 x 128"
    laptop = {"laptop recipe": TrainTranslateOptions()}
    table(title, training(TrainTranslateOptions(**classic | SMALL), laptop), chosen.rounds)


def named(dtype: torch.dtype) -> str:
    """`float32` for torch.float32."""
    return str(dtype).removeprefix("torch.")


def cast(dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Plain torch's way of computing in a number type."""
    return torch.autocast("cpu", dtype, enabled=dtype != torch.float32)


def translating(side: int) -> Candidates:
    """The plain network and ours, by number type."""
    image, bare = torch.rand(1, 3, side, side), plain_unet(64, 8)
    network = UNet().to(memory_format=LAYOUT)

    def plainly(dtype: torch.dtype) -> Tensor:
        with cast(dtype):
            made: Tensor = bare(2 * image - 1)
        return made

    def ours(dtype: torch.dtype) -> Tensor:
        made: Tensor = network(Form(dtype, LAYOUT)(image))
        return made

    ways = {"plain": plainly, "styler": ours}
    return {
        f"{name}, {named(dtype)}": inference(functools.partial(way, dtype))
        for name, way in ways.items()
        for dtype in TYPES
    }


def training(
    options: TrainTranslateOptions, more: dict[str, TrainTranslateOptions] | None = None
) -> Candidates:
    """The plain loop and ours for the same networks, and ours for others, by number type."""
    found = {f"plain loop, {named(dtype)}": plain_loop(options, dtype) for dtype in TYPES}
    for name, chosen in {"the same": options, **(more or {})}.items():
        for dtype in TYPES:
            found[f"styler, {name}, {named(dtype)}"] = ours(chosen, named(dtype))
    return found


def ours(options: TrainTranslateOptions, precision: str) -> Callable[[], None]:
    """One step of `train_translate` a call."""
    changed = {**vars(options), "precision": precision, "epochs": 0.0}
    chosen, shape = TrainTranslateOptions(**changed), (options.batch, 3, options.crop, options.crop)
    pair = Pair(torch.rand(shape), torch.rand(shape))
    steps: Iterator[object] = train_translate(new_pix2pix(chosen, 3, 3), None, lambda index: pair, chosen)
    return lambda: void(next(steps))


def plain_loop(options: TrainTranslateOptions, dtype: torch.dtype) -> Callable[[], None]:
    """One step a call of the loop that everybody starts from."""
    generator, discriminator = plain_unet(options.width, options.halvings or 8), plain_patch()
    for_generator, for_discriminator = (
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (generator, discriminator)
    )
    shape = (options.batch, 3, options.crop, options.crop)
    inputs, targets = 2 * torch.rand(shape) - 1, 2 * torch.rand(shape) - 1

    def judged(image: Tensor, real: bool) -> Tensor:
        answers = discriminator(torch.cat([inputs, image], 1)).float()
        return F.binary_cross_entropy_with_logits(answers, torch.full_like(answers, float(real)))

    def step() -> None:
        with cast(dtype):
            made = generator(inputs)
            for_discriminator.zero_grad()
            discriminator.requires_grad_(True)
            loss = 0.5 * (judged(made.detach(), False) + judged(targets, True))
        loss.backward()
        for_discriminator.step()
        with cast(dtype):
            for_generator.zero_grad()
            discriminator.requires_grad_(False)
            loss = judged(made, True) + 100 * F.l1_loss(made.float(), targets)
        loss.backward()
        for_generator.step()
        loss.item()

    return step


class PlainBlock(nn.Module):
    """One level of a U-Net with all that lies below it: down, the next block, up, and x beside the result."""

    def __init__(self, outer: int, inner: int, below: nn.Module | None, dropout: bool) -> None:
        super().__init__()
        down: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1, bias=False)]
        up: list[nn.Module] = [
            nn.ReLU(),
            nn.ConvTranspose2d(inner * (1 if below is None else 2), outer, 4, 2, 1, bias=False),
            nn.BatchNorm2d(outer),
        ]
        middle = [] if below is None else [nn.BatchNorm2d(inner), below]
        self.model = nn.Sequential(*down, *middle, *up, *[nn.Dropout(0.5)] * dropout)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, 2 C, H, W]."""
        return torch.cat([x, self.model(x)], 1)


def plain_unet(width: int, halvings: int) -> nn.Sequential:
    """[N, 3, H, W] -> the same, both in [-1, 1]."""
    widths = [width * min(2**level, 8) for level in range(halvings)]
    block: nn.Module | None = None
    for level in reversed(range(1, halvings)):
        block = PlainBlock(widths[level - 1], widths[level], block, halvings - 3 <= level + 1 < halvings)
    assert block is not None
    last = nn.ConvTranspose2d(2 * width, 3, 4, 2, 1)
    return nn.Sequential(nn.Conv2d(3, width, 4, 2, 1, bias=False), block, nn.ReLU(), last, nn.Tanh())


def plain_patch() -> nn.Sequential:
    """[N, 6, H, W] -> logits [N, 1, h, w], each of a patch of 70 x 70."""
    layers: list[nn.Module] = [nn.Conv2d(6, 64, 4, 2, 1), nn.LeakyReLU(0.2)]
    for before, after, stride in ((64, 128, 2), (128, 256, 2), (256, 512, 1)):
        layers += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.BatchNorm2d(after)]
        layers.append(nn.LeakyReLU(0.2))
    return nn.Sequential(*layers, nn.Conv2d(512, 1, 4, 1, 1))


if __name__ == "__main__":
    main()
