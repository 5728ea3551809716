"""Distributed training: the group of processes that torchrun starts, and means over it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from styler.errors import DeviceError

_BACKENDS = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""Communication backends by kind of device; all but gradients goes over the CPU, not to wait for a GPU."""


@dataclass(frozen=True)
class Group:
    """The group of processes that train one network, seen from process `rank` of `size`.

    Each process must call the same methods in the same order. `restarts` counts how often the group was
    started again after a process had died.
    """

    rank: int = 0
    size: int = 1
    restarts: int = 0

    @property
    def main(self) -> bool:
        """Whether this is the process that writes files and prints."""
        return self.rank == 0

    def mean(self, losses: Mapping[str, float]) -> dict[str, float]:
        """Means over all processes of values that each has under the same names."""
        if self.size == 1:
            return dict(losses)
        values = torch.tensor(list(losses.values()), dtype=torch.float64)
        dist.all_reduce(values)
        return dict(zip(losses, (values / self.size).tolist(), strict=True))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in at least one process."""
        if self.size == 1:
            return flag
        value = torch.tensor(int(flag))
        dist.all_reduce(value, dist.ReduceOp.MAX)
        return bool(value.item())

    def wrap(self, network: nn.Module) -> nn.Module:
        """The module to call in place of `network`, whose gradients become means over all processes.

        The names in the network's own state dict stay as they are; all start with the weights of rank 0.
        """
        if self.size == 1:
            return network
        device = next(network.parameters()).device
        return DistributedDataParallel(network, device_ids=None if device.type == "cpu" else [device])

    def barrier(self) -> None:
        """Wait until every process is here."""
        self.any(False)


ALONE = Group()


def placed(device: torch.device) -> torch.device:
    """The device of this process, of the kind of `device`: each process on a machine has a GPU of its own.

    Raises:
        DeviceError: if there are fewer GPUs than processes, or the kind cannot train in several.
    """
    if not launched():
        return device
    if device.type not in _BACKENDS:
        raise DeviceError(f"torchrun trains on cuda or cpu, and the device is {device}: use --device cpu")
    if device.type == "cpu":
        return device
    index, count = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if index >= count:
        raise DeviceError(
            f"process {index + 1} on this machine has no GPU left of {count}: --nproc-per-node {count}"
        )
    return torch.device("cuda", index)


def launched() -> bool:
    """Whether torchrun started this process, with others or alone."""
    return dist.is_torchelastic_launched() and "RANK" in os.environ


def restarts() -> int:
    """How often torchrun has started its processes again; 0 without it."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) if launched() else 0


def is_main() -> bool:
    """Whether this process is the first of those that torchrun started, or alone."""
    return not launched() or os.environ["RANK"] == "0"


@contextmanager
def join(device: torch.device) -> Iterator[Group]:
    """Join the group of processes that torchrun started, until the block ends; ALONE without torchrun.

    Args:
        device: where this process trains, see `placed`.
    """
    if not launched():
        yield ALONE
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    again = restarts()
    # DistributedDataParallel imports it: after the start, its default arguments would keep the group and the
    # group's threads, and one that is busy while the interpreter ends aborts the process.
    importlib.import_module("torch.distributed.nn.functional")
    store, rank, size = next(rendezvous("env://"))
    # Without --standalone torchrun keeps its store over a restart, with the addresses of those who died.
    fresh = dist.PrefixStore(f"restart {again}", store)  # type: ignore[attr-defined]  # it is there
    dist.init_process_group(_BACKENDS[device.type], store=fresh, rank=rank, world_size=size)
    try:
        yield Group(rank, size, again)
    finally:
        dist.destroy_process_group()
