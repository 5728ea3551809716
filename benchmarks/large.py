"""Print what a picture of many megapixels takes in memory and time, and whether strips show.

    python benchmarks/large.py [--model FILE] [--megapixels 12] [--precision float32]

Memory is the peak of `styler fast` above what its process had when torch was imported (Linux). The PSNR is
that of strips to the whole, on a quarter of the pixels so that the whole fits. Without a model, a network of
width 32 with random weights.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from styler.losses.metrics import psnr
from styler.networks import strips
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.plans import ResidualArchitecture
from styler.storage.models import library
from styler.storage.models.library import Card, Model, Style
from styler.storage.pictures.load import load_picture
from styler.storage.pictures.save import save_picture

# The whole command in a process of its own, which tells how far its memory rose above torch's, and its time.
COMMAND = """
import contextlib, json, pathlib, time, torch
def peak():
    lines = pathlib.Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
before, begun = peak(), time.monotonic()
from styler.ui.cli import main
with contextlib.suppress(SystemExit):
    main()
print(json.dumps([peak() - before, time.monotonic() - begun]))
"""


def main() -> None:
    """Print three lines."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--model", help="a model's file")
    words.add_argument("--megapixels", type=float, default=12)
    words.add_argument("--precision", default="float32", choices=("float32", "bfloat16", "auto"))
    chosen = words.parse_args()
    height = round((chosen.megapixels * 1e6 * 3 / 4) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(chosen.model) if chosen.model else random_model(Path(folder) / "model.safetensors")
        photo = photo_of(Path(folder) / "photo.jpg", (height, height * 4 // 3))
        memory, seconds = whole_command(photo, model, chosen.precision)
        size = f"{height * 4 // 3} x {height}"
        print(f"styler fast, {size}, {chosen.precision}: {memory / 1e9:.2f} GB, {seconds:.0f} s", flush=True)
        quarter = load_picture(photo, long_side=height * 2 // 3).image
        size = f"{quarter.shape[3]} x {quarter.shape[2]}"
        print(f"strips against the whole, {size}: {likeness(model, quarter):.0f} dB")


def random_model(path: Path) -> Path:
    """A network of width 32."""
    torch.manual_seed(0)
    card = Card("transform", vars(ResidualArchitecture()), (Style("random"),))
    library.write(path, Model(ResidualNetwork(), card))
    return path


def photo_of(path: Path, size: tuple[int, int]) -> Path:
    """Clouds with grain, as a JPEG."""
    clouds = torch.nn.functional.interpolate(torch.rand(1, 3, 24, 32), size, mode="bicubic")
    save_picture(path, (clouds + 0.05 * torch.randn(clouds.shape)).clamp(0, 1))
    return path


def whole_command(photo: Path, model: Path, precision: str) -> tuple[float, float]:
    """Bytes and seconds of `styler fast`."""
    words = ["fast", str(photo), "--model", str(model), "--precision", precision, "-o", f"{photo}.png", "-q"]
    style = library.read_card(model).styles[0].name if model.suffix == ".safetensors" else ""
    words += ["--style", style] if style else []
    done = subprocess.run([sys.executable, "-c", COMMAND, *words], stdout=subprocess.PIPE, check=True)
    memory, seconds = json.loads(done.stdout.splitlines()[-1])
    return memory, seconds


@torch.inference_mode()
def likeness(model: Path, image: torch.Tensor) -> float:
    """PSNR of a picture painted in many strips to the same painted at once, both clamped."""
    found = library.read_transform(model)
    mix = torch.zeros(1, len(found.card.styles))
    mix[0, 0] = 1
    mode = Mode(mix=mix)
    network = found.network.eval()
    whole = network(image, mode).clamp(0, 1)
    return psnr(strips.paint(network, image, mode, 64).clamp(0, 1), whole)


if __name__ == "__main__":
    main()
