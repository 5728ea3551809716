"""What tests start as one of two processes.

two.py train OUTPUT [die]    trains on what lies in the current folder; "die" kills rank 1 in its fourth step
two.py translate OUTPUT      the same on pairs, with the options in chosen.json
two.py group                 writes what the group says to said-RANK.json
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch

from styler import processes
from styler.signals import interruptible

CHOSEN: dict[str, Any] = {
    "steps": 6,
    "crop": 32,
    "style_size": 48,
    "model_size": "tiny",
    "report": 1,
    "save": 2,
    "warmup": 1,
    "content_weight": 0.03,
    "learning_rate": 2e-5,  # so little that rounding errors do not grow tenfold with each step
    "precision": "float32",
    "loss_network": "net.safetensors",
    "device": "cpu",
}


def train(output: str, die: str = "") -> None:
    from styler.jobs.training.fast import train_fast
    from styler.options.fast import TrainFastOptions

    first, steps = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0", 0
    with interruptible() as interrupt:

        def stop() -> bool:
            nonlocal steps
            steps += 1
            if die and first and steps == 4 and os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            return interrupt()

        work = train_fast(
            ["a.png", "b.png"], "photos", output, TrainFastOptions(batch=2, **CHOSEN), stop=stop
        )
        told = [type(event).__name__ for event in work]
    Path(f"told-{os.environ['RANK']}.json").write_text(json.dumps(told))


def translate(output: str) -> None:
    from styler.jobs.training.translate import train_translate
    from styler.options.translate import TrainTranslateOptions

    options = TrainTranslateOptions(**json.loads(Path("chosen.json").read_text()))
    told = [type(event).__name__ for event in train_translate("pairs", output, options)]
    Path(f"told-{os.environ['RANK']}.json").write_text(json.dumps(told))


def group() -> None:
    with processes.join(torch.device("cpu")) as group:
        said = {
            "mean": group.mean({"a": float(group.rank), "b": 1.0}),
            "any": [group.any(group.rank == 1), group.any(False)],
            "main": group.main,
        }
        network = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(network.weight, group.rank)
        wrapped = group.wrap(network)
        wrapped(torch.tensor([[1.0 + 2 * group.rank]])).sum().backward()
        said["gradient"], said["keys"] = float(network.weight.grad), list(network.state_dict())
        said["weight"] = float(network.weight.detach())
        del wrapped
    said["threads"] = sum("gloo" in name.read_text() for name in Path("/proc/self/task").glob("*/comm"))
    Path(f"said-{group.rank}.json").write_text(json.dumps(said))


if __name__ == "__main__":
    {"train": train, "translate": translate, "group": group}[sys.argv[1]](*sys.argv[2:])
