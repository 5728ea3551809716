"""Options of `styler web`."""

from __future__ import annotations

from dataclasses import dataclass

from styler.options.fields import Options, again, opt
from styler.options.shared import MachineOptions, OutputOptions


@dataclass(frozen=True, kw_only=True)
class WebOptions(Options):
    """Options of `styler web`."""

    port: int = opt(0, "Port on 127.0.0.1; 0: a free one.", low=0, high=65535)
    open: bool = opt(False, "Open the page in the browser.")
    max_pixels: int = again(OutputOptions, "max_pixels", 50_000_000)
    device: str = again(MachineOptions, "device", "auto")
    threads: int = again(MachineOptions, "threads", 0)
