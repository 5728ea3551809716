"""What painting without torch takes: size of the packages, time, memory, and the same pixels.

    python benchmarks/onnx.py [STYLE] [PHOTO]

Installs this checkout without what it asks for, and what `styler fast --engine onnx` needs, into a temporary
folder, so it needs pip and the packages' index; paints from there alone, and with torch from here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
PACKAGES = ("onnxruntime", "numpy", "pillow", "click", "rich")


def megabytes(folder: Path) -> float:
    """Size of all files in a folder, in millions of bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def timed(command: list[str], path: str) -> str:
    """Run Python on a command with `path` as its packages; returns its time and memory."""
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    used, begun = os.times(), time.monotonic()
    process = subprocess.Popen([sys.executable, *command], env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(process.returncode)
    now, seconds = os.times(), time.monotonic() - begun
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return f"{cpu:.1f} s of the processor, {seconds:.1f} s by the clock, {usage.ru_maxrss / 1e6:.2f} GB"


def main(style: str = "wave", photo: str = str(ROOT / "examples" / "lake.jpg")) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages = folder / "packages"
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(packages)]
        for words in (PACKAGES, ("--no-deps", str(ROOT))):
            subprocess.run([*pip, *words], check=True, stderr=subprocess.DEVNULL)
            print(f"with {', '.join(words)}: {megabytes(packages):.0f} MB")
        small, whole = str(folder / "small.png"), str(folder / "whole.png")
        fast = ["-m", "styler", "-q", "fast", photo, "--style", style, "-o"]
        # -S leaves out the environment's own packages, torch among them
        print(f"--engine onnx: {timed(['-S', *fast, small, '--engine', 'onnx'], str(packages))}")
        ours = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        print(f"--engine torch: {timed([*fast, whole, '--precision', 'float32'], ours)}")
        first, second = (np.asarray(Image.open(path)).astype(int) for path in (small, whole))
        difference = np.abs(first - second)
        print(f"{first.shape[1]} x {first.shape[0]} pixels: largest difference {difference.max()} of 255")
        print(f"share of values that differ: {(difference > 0).mean():.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
