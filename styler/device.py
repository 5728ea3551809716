"""Where the work runs: device, threads, seeds, and whether memory will do."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from styler.errors import DeviceError


def choose(name: str = "auto") -> torch.device:
    """The device of that name; `auto` takes an accelerator (cuda, mps, xpu) where there is one, else the CPU.

    Raises DeviceError for a name that torch does not know or that this machine does not have.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator(check_available=True)
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        available = [str(torch.accelerator.current_accelerator())] * torch.accelerator.is_available()
        raise DeviceError(
            f"no device '{name}' here; there is {' and '.join(['cpu', *available])}: use --device cpu"
        ) from error
    return device


def prepare(seed: int, threads: int = 0) -> None:
    """Seed torch and set its number of CPU threads (0 leaves it alone)."""
    torch.manual_seed(seed)
    if threads:
        torch.set_num_threads(threads)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on `device`, or None where it cannot be told."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    return _available_memory()


def require(needed: int, device: torch.device) -> None:
    """Raise DeviceError if work that needs so many bytes at its peak cannot succeed on `device`."""
    free = free_memory(device)
    if free is not None and needed > free:
        fraction = (free / needed) ** 0.5
        raise DeviceError(
            f"this needs about {needed / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free: "
            f"use a --size of at most {fraction:.0%} of this one, or --history 3"
        )


def _available_memory() -> int | None:
    """What the kernel says can be had without swapping; where it does not say, all physical memory."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = meminfo.read_text("ascii").splitlines()
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines if line}
        return values.get("MemAvailable", values["MemFree"]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
