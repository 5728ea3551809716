"""Compare layers that styler computes in ways of its own with torch's plain ones.

    python benchmarks/layers.py [--size 512] [--rounds 5]

Tables as of fast.py, forward alone and with the way back: a large convolution with three channels of output,
and max pooling, which keeps no table of places and pays for that on the way back.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from fast import LAYOUT, inference, table
from torch import Tensor

from styler.features import pool
from styler.networks.layers import by_fours

Ways = dict[str, Callable[[Tensor], Tensor]]


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--size", type=int, default=512, help="side of the map in pixels")
    words.add_argument("--rounds", type=int, default=5)
    asked = words.parse_args()
    torch.set_num_threads(1)
    for dtype in (torch.float32, torch.bfloat16):
        weight = torch.randn(3, 16, 9, 9, dtype=dtype, requires_grad=True)
        convolving = {"plain": lambda x, w=weight: F.conv2d(x, w), "ours": lambda x, w=weight: by_fours(x, w)}
        pooling = {"plain": lambda x: F.max_pool2d(x, 2), "ours": lambda x: pool(x, "max")}
        for name, channels, ways in (("convolution, 16 to 3", 16, convolving), ("max pooling", 32, pooling)):
            x = torch.randn(1, channels, asked.size, asked.size).to(dtype, memory_format=LAYOUT)
            compare(f"{name}, {str(dtype).removeprefix('torch.')}", x.requires_grad_(), ways, asked.rounds)


def compare(title: str, x: Tensor, ways: Ways, rounds: int) -> None:
    """Print the tables of a layer's ways."""
    upstream = torch.randn_like(ways["plain"](x))
    forward = {name: inference(lambda way=way: way(x)) for name, way in ways.items()}
    both = {name: lambda way=way: way(x).backward(upstream) for name, way in ways.items()}
    table(f"{title}, forward", forward, rounds)
    table(f"{title}, with the way back", both, rounds)


if __name__ == "__main__":
    main()
