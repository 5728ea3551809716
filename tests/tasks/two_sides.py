"""What test_train_translate.py starts as one of two processes: it trains a networks on half of the pairs.

two_sides.py OUTPUT    rank 0 writes the mean losses of each step and the last state to the file
"""

from __future__ import annotations

import sys

import torch
from test_train_translate import SHARED, options, pair

from styler import processes
from styler.events import TrainStep
from styler.image.conditions import Pair
from styler.tasks.train_translate import new_pix2pix, train_translate


def main(output: str) -> None:
    chosen = options(batch=2, **SHARED)
    with processes.join(torch.device("cpu")) as group:
        networks = new_pix2pix(chosen, 3, 3)

        def half(index: int) -> Pair:
            whole, own = pair(index, 4), slice(2 * group.rank, 2 * group.rank + 2)
            return Pair(whole.inputs[own], whole.targets[own])

        events = list(train_translate(networks, None, half, chosen, group=group))
        losses = [group.mean(event.losses) for event in events if isinstance(event, TrainStep)]
    if group.main:
        torch.save({"losses": losses, "network": networks.state_dict()}, output)


if __name__ == "__main__":
    main(sys.argv[1])
