"""Compare layers that styler computes in ways of its own with torch's plain ones.

    python benchmarks/layers.py [--size 512] [--rounds 5]

Each row has a layer, its number type, and milliseconds of one thread, of the plain way and the share of ours,
forward alone and with the way back; the least over rounds in which both take turns, so that ratios hold on a
busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from styler.features import pool
from styler.networks.layers import by_fours

Way = Callable[[Tensor], Tensor]


def main() -> None:
    """Print the table."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--size", type=int, default=512, help="side of the map in pixels")
    words.add_argument("--rounds", type=int, default=5)
    asked = words.parse_args()
    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.randn(3, 16, 9, 9, dtype=dtype, requires_grad=True)
        rows: dict[str, tuple[int, Way, Way]] = {
            "9x9 convolution, 16 -> 3": (
                16,
                lambda x, w=weight: F.conv2d(x, w),
                lambda x, w=weight: by_fours(x, w),
            ),
            "pooling, 32": (32, lambda x: F.max_pool2d(x, 2), lambda x: pool(x, "max")),
        }
        for name, (channels, plain, ours) in rows.items():
            x = torch.randn(1, channels, asked.size, asked.size).to(dtype, memory_format=torch.channels_last)
            print(f"{name}, {str(dtype).removeprefix('torch.')}: {compared(x, plain, ours, asked.rounds)}")


def compared(x: Tensor, plain: Way, ours: Way, rounds: int) -> str:
    """Milliseconds of the plain way and the share of ours, forward and both ways."""
    x = x.requires_grad_()
    upstream = torch.randn_like(plain(x))
    with torch.no_grad():
        forward = fastest([lambda: plain(x), lambda: ours(x)], rounds)
    both = fastest([lambda: plain(x).backward(upstream), lambda: ours(x).backward(upstream)], rounds)
    told = (f"{1e3 * old:.1f} ms -> {new / old:.2f}" for old, new in (forward, both))
    return "forward {}, with the way back {}".format(*told)


def fastest(ways: list[Callable[[], object]], rounds: int) -> list[float]:
    """The least CPU seconds of each."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds):
        for way, taken in zip(ways, times, strict=True):
            begun = time.process_time()
            way()
            taken.append(time.process_time() - begun)
    return [min(taken) for taken in times]


if __name__ == "__main__":
    main()
