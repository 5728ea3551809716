"""Device, number format, random seed, threads and free memory of this process."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from styler.errors import DeviceError
from styler.options.shared import Precision


def choose(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is the accelerator (cuda, mps, xpu) if there is one, else the CPU.

    Raises DeviceError for a name that torch does not know or that this machine does not have.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
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
    """Set torch's random seed and its number of CPU threads (0 leaves that alone)."""
    torch.manual_seed(seed)
    if threads:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class Form:
    """Number type and memory format in which a network computes; a call puts a tensor [N, C, H, W] in it."""

    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.contiguous_format

    def __call__(self, x: Tensor) -> Tensor:
        """The same values, as near as the number type has them."""
        return x.to(self.dtype, memory_format=self.memory_format)

    @property
    def precision(self) -> str:
        """Its number type as `--precision` takes it."""
        return str(self.dtype).removeprefix("torch.")


def form_for(precision: Precision, device: torch.device) -> Form:
    """The number format of training on a device; `auto` is bfloat16 where the hardware multiplies it.

    CPUs convolve faster with channels last. On a GPU our norms would have to convert it back.
    """
    layout = torch.channels_last if device.type == "cpu" else torch.contiguous_format
    if precision != "auto":
        return Form(torch.float32 if precision == "float32" else torch.bfloat16, layout)
    able = torch.cpu.get_capabilities().get("avx512_bf16", False) if device.type == "cpu" else True
    return Form(torch.bfloat16 if able else torch.float32, layout)


def free_memory(device: torch.device) -> int | None:
    """Free memory of `device` in bytes, or None where the system does not report it."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    return _available_memory()


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Callable[[], int | None]]:
    """A function that gives the rise of memory at its peak, in bytes; None where that is unknown."""
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield lambda: int(torch.cuda.max_memory_allocated(device)) - before
    elif device.type == "cpu" and reset.exists():
        with contextlib.suppress(OSError, AttributeError):  # a C library without it
            ctypes.CDLL(None).malloc_trim(0)  # what the allocator keeps for later would hide a rise
        reset.write_text("5", "ascii")  # Linux: the peak is that of now
        before = _kilobytes(status)["VmRSS"]
        yield lambda: 1024 * (_kilobytes(status)["VmHWM"] - before)
    else:
        yield lambda: None


def room_for(memory: float, device: torch.device, share: float = 0.6) -> float:
    """Bytes that work may take: `memory` in gigabytes or, where that is 0, a share of what is free."""
    free = free_memory(device)
    return memory * 1e9 or (math.inf if free is None else share * free)


def gigabytes(*counts: float, decimals: int = 1) -> list[str]:
    """Numbers of bytes in gigabytes, with so many decimals or more that none looks like 0 or like another."""
    while True:
        shown = [f"{count / 1e9:.{decimals}f}" for count in counts]
        if decimals == 9 or (len(set(shown)) == len(set(counts)) and all(map(float, shown))):
            return [f"{text} GB" for text in shown]
        decimals += 1


def _available_memory() -> int | None:
    """Memory that the kernel can give without swapping; where it does not report that, all there is."""
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        values = _kilobytes(meminfo)
        return values.get("MemAvailable", values["MemFree"]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _kilobytes(table: Path) -> dict[str, int]:
    """Numbers of a table of the kernel, of lines such as `MemFree:  8024 kB`."""
    rows = (line.split() for line in table.read_text("utf-8").splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) == 3 and row[2] == "kB"}
