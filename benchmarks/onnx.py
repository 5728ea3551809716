"""What painting with a trained network takes without torch: size of the packages, time, and the same pixels.

    python benchmarks/onnx.py [STYLE] [PHOTO]

Installs onnxruntime, NumPy and Pillow into a temporary folder, so it needs pip and the packages' index;
paints with `examples/paint_with_onnx.py` from there alone, and with `styler fast --precision float32`.
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
PACKAGES = ("onnxruntime", "numpy", "pillow")
SCRIPT = str(ROOT / "examples" / "paint_with_onnx.py")


def megabytes(folder: Path) -> float:
    """Size of all files in a folder, in millions of bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def timed(command: list[str], path: str) -> str:
    """Run Python on a command with `path` as its packages; returns the seconds that it took."""
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    used, begun = os.times(), time.monotonic()
    subprocess.run([sys.executable, *command], check=True, env=environment, capture_output=True)
    now, seconds = os.times(), time.monotonic() - begun
    cpu = now.children_user + now.children_system - used.children_user - used.children_system
    return f"{cpu:.1f} s of the processor, {seconds:.1f} s by the clock"


def main(style: str = "wave", photo: str = str(ROOT / "examples" / "lake.jpg")) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        packages, model = folder / "packages", str(folder / "model.onnx")
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", str(packages)]
        subprocess.run([*pip, *PACKAGES], check=True, stderr=subprocess.DEVNULL)
        print(f"{', '.join(PACKAGES)} with what they need: {megabytes(packages):.0f} MB")
        ours = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        exporting = timed(["-m", "styler", "-q", "models", "export", style, model], ours)
        print(f"export: {exporting}; the file has {Path(model).stat().st_size / 1e6:.1f} MB")
        small, whole = str(folder / "small.png"), str(folder / "whole.png")
        # -S leaves out the environment's own packages, torch among them
        print(f"onnxruntime alone: {timed(['-S', SCRIPT, model, photo, small], str(packages))}")
        fast = ["-m", "styler", "-q", "fast", photo, "--style", style, "--precision", "float32", "-o", whole]
        print(f"styler fast: {timed(fast, ours)}")
        first, second = (np.asarray(Image.open(path)).astype(int) for path in (small, whole))
        difference = np.abs(first - second)
        print(f"{first.shape[1]} x {first.shape[0]} pixels: largest difference {difference.max()} of 255")
        print(f"share of values that differ: {(difference > 0).mean():.2%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
