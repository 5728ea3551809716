"""What tests start as one of two processes.

two.py train KIND OUTPUT [die|diverge|again]    trains on the current folder; "die" kills rank 1 in its fourth
                                  step, "again" diverges and fails, so that torchrun starts it again
two.py group                      writes what the group says to said-RANK.json
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
from styler.errors import DivergedError
from styler.signals import interruptible


def options(kind: str, batch: int) -> Any:
    """Options of a training that gives the same in two processes as in one with twice the batch."""
    import studio

    chosen: dict[str, Any] = {"dropout": False} if kind == "translate" else {}  # its masks differ by process
    # So low a learning rate that rounding errors do not grow tenfold with each step.
    return studio.options(kind, batch=batch, learning_rate=2e-5, device="cpu", **chosen)


def diverge(kind: str, output: str, again: bool = False) -> None:
    """Train at a rate that no network stands; what is said goes to said-RANK.json.

    With `again` the number of events and what is said are a line more in said.txt, and failures are failures.
    """
    import studio

    events: list[Any] = []
    try:
        chosen = studio.options(kind, device="cpu", **studio.WILD[kind])
        for event in studio.begin(kind, output, chosen, overwrite=again):
            events.append(event)
        said = f"{len(events)} events and no error"
    except DivergedError as error:
        said = str(error)
        if again:
            with Path("said.txt").open("a") as file:
                file.write(f"{len(events)} events; {said}\n")
            sys.exit(1)
    Path(f"said-{os.environ['RANK']}.json").write_text(json.dumps(said))


def train(kind: str, output: str, die: str = "") -> None:
    import studio

    if die in ("diverge", "again"):
        return diverge(kind, output, die == "again")
    first, steps = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0", 0
    with interruptible() as interrupt:

        def stop() -> bool:
            nonlocal steps
            steps += 1
            if die and first and steps == 4 and os.environ["RANK"] == "1":
                os.kill(os.getpid(), signal.SIGKILL)
            return interrupt()

        events = [type(event).__name__ for event in studio.begin(kind, output, options(kind, 2), stop=stop)]
    Path(f"events-{os.environ['RANK']}.json").write_text(json.dumps(events))


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
    {"train": train, "group": group}[sys.argv[1]](*sys.argv[2:])
