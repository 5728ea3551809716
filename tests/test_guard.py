"""Regression test of the command line: pictures of commands with fixed seeds, compared with tests/guard.json.

Only commands and their files are used, so that it holds through any change of the code below. On a machine
whose fingerprint is in guard.json pixels must have the same hash, elsewhere nearly the same means in a grid.

    python tests/test_guard.py --write         renews guard.json (where pixels changed, of this machine alone)
    GUARD_KEEP=DIR pytest tests/test_guard.py        also saves all pixels in DIR as .npy
    GUARD_COMPARE=DIR pytest tests/test_guard.py     also prints how far pixels are from those saved in DIR
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence
from torch.optim.optimizer import register_optimizer_step_post_hook

KEPT = Path(__file__).with_name("guard.json")
FOLDERS = os.environ.get("GUARD_KEEP"), os.environ.get("GUARD_COMPARE")
KEEP, COMPARE = (Path(folder).resolve() if folder else None for folder in FOLDERS)
CELLS = 6  # of the grid, along each side
TOLERANCE = {"optimize": 6, "train": 6, "export": 1}  # levels of 255, by the first word of a case; else 3

FAST = """train-fast --dataset photos --model-size tiny --crop 32 --style-size 48 --batch 2 --steps 5 --save 2
    --report 1 --learning-rate 0.0003 --warmup 0 --precision float32 -o net.safetensors"""
TRANSLATE = """train-translate --crop 32 --batch 2 --steps 8 --save 4 --report 2 --field 16
    --precision float32 --discriminator-width 8 --learning-rate 0.002 --average 0.5 --validation 0.25
    -o net.safetensors"""

CASES = {
    "optimize two scales": """optimize photo.png ink.png --size 96 --scales 2 --coarse-steps 8 --steps 8
        --precision float32 -o out.png""",
    "optimize two styles": """optimize photo.png ink.png oil.png --size 64 --style-loss gram --init noise
        --optimizer adam --learning-rate 0.05 --steps 12 --seed 7 --precision float32 -o out.png""",
    "optimize alpha": """optimize alpha.png ink.png --size 64 --optimizer scipy --init style --scales 1
        --steps 8 --tv-weight 0.1 --pooling average --precision float32
        -o out.png""",
    "fast": "fast photo.png --style wave --precision float32 -o out.png",
    "fast bfloat16": "fast photo.png --style mosaic --precision bfloat16 -o out.png",
    "fast alpha": "fast alpha.png --style ink --precision float32 -o out.png",
    "fast photo colors": """fast photo.png --style wave --strength 0.5 --color photo --precision float32
        -o out.png""",
    "fast strips": "fast large.png --style wave --memory 0.46 --precision float32 -o out.png",
    "fast folder": "fast photos --style the-scream --size 48 --precision float32 -o out",
    "fast animation": "fast film.gif --style mosaic --precision float32 -o out.png",
    "fast film": "fast film.mp4 --style mosaic --precision float32 --crf 0 -o out.mp4",
    "train-fast": f"{FAST} --style ink.png\n fast photo.png --model net.safetensors -o out.png",
    "train-fast resumed": f"""STOP 3 {FAST} --style ink.png --video-stable
        {FAST} --style ink.png --video-stable --resume
        fast photo.png --model net.safetensors --precision float32 -o out.png""",
    "train-fast two styles": f"""{FAST} --style ink.png --style oil.png
        fast photo.png --model net.safetensors --style ink:0.6,oil:0.4 --precision float32 -o out.png""",
    "train-fast texture": f"""{FAST} --network texture --style oil.png --learning-rate 0.00001
        fast --model net.safetensors --size 160x128 --seed 3 -o out.png""",
    "train-translate": f"""{TRANSLATE} --dataset pairs --width 8 --halvings 4
        translate photo.png --checkpoint net.safetensors --precision float32 -o out.png""",
    "train-translate edges": f"""{TRANSLATE} --edges photos --width 8 --gan hinge --spectral --scales 2
        --feature-weight 10 --perceptual-weight 10
        translate photo.png --from-photo --checkpoint net.safetensors --precision float32 -o out.png""",
    "train-translate strips": f"""{TRANSLATE} --dataset pairs --generator residual --blocks 1 --width 32
        translate medium.png --checkpoint net.safetensors --memory 0.34 --precision float32 -o out.png""",
    "translate": "translate photo.png --checkpoint edges2cat --from-photo --precision float32 -o out.png",
    "translate samples": f"""{TRANSLATE} --dataset pairs --width 8 --halvings 5 --dropout
        translate photo.png --checkpoint net.safetensors --samples 3 --precision float32 -o out.png""",
    "translate film": """translate film.gif --checkpoint edges2cat --from-photo --precision float32
        -o out.png""",
    "pairs edges": "pairs photos --edges --shortest 2 -o out",
    "pairs palette": "pairs photos --palette --colors 4 --layout folders -o out",
    "pairs low resolution": "pairs photos --low-resolution -o out",
    "foreign transform": """fast photo.png --model theirs.pth --precision float32 -o out-theirs.png
        models convert theirs.pth -o converted.safetensors
        fast photo.png --model converted.safetensors --precision float32 -o out-converted.png""",
    "foreign U-Net": "translate photo.png --checkpoint net_G.pth --direction AtoB -o out.png",
    "export style": """fast rough.png --style water-lilies --precision float32 -o out.png
        models export water-lilies out.onnx""",
    "export translator": f"""{TRANSLATE} --dataset pairs --width 8 --halvings 5 --no-dropout
        translate rough.png --checkpoint net.safetensors --precision float32 -o out.png
        models export net.safetensors out.onnx""",
}


# Inputs


def smooth(seed, size=(96, 64), cells=(8, 6), bands=3):
    """A smooth picture, other for each seed."""
    values = np.random.default_rng(seed).integers(0, 256, (cells[1], cells[0], bands), dtype=np.uint8)
    return Image.fromarray(values.squeeze()).resize(size, Image.Resampling.BICUBIC)


def draws(shapes, **gains):
    """A state dict of such shapes: kernels by their fan-in, norms near 1; times the gain of a layer."""
    draw, state = torch.Generator().manual_seed(3), {}
    for name, shape in shapes.items():
        spread = 0.3 if len(shape) < 2 else (2 / np.prod(shape[1:])) ** 0.5
        mean = 1.0 if name.endswith("weight") and len(shape) == 1 else 0.0
        state[name] = gains.get(name.split(".")[0], 1) * (mean + spread * torch.randn(shape, generator=draw))
    return state


def pytorch_examples(w=8):
    """The state of a transform network of pytorch/examples, which paints RGB from 0 to 255."""
    convs = {"conv1": (w, 3, 9), "conv2": (2 * w, w, 3), "conv3": (4 * w, 2 * w, 3)}
    convs |= {f"res{n}.conv{half}": (4 * w, 4 * w, 3) for n in range(1, 6) for half in (1, 2)}
    convs |= {"deconv1": (2 * w, 4 * w, 3), "deconv2": (w, 2 * w, 3), "deconv3": (3, w, 9)}
    norms = {f"in{n}": width * w for n, width in enumerate((1, 2, 4, 2, 1), 1)}
    norms |= {f"res{n}.in{half}": 4 * w for n in range(1, 6) for half in (1, 2)}
    shapes = {f"{name}.conv2d.weight": (out, into, side, side) for name, (out, into, side) in convs.items()}
    shapes |= {f"{name}.conv2d.bias": (out,) for name, (out, _, _) in convs.items()}
    shapes |= {f"{name}.{part}": (width,) for name, width in norms.items() for part in ("weight", "bias")}
    state = draws(shapes, deconv3=40)
    state["deconv3.conv2d.bias"] += 128
    return state


def junyanz(w=4, halvings=5):
    """The state of a U-Net of junyanz with batch norms, which paints from -1 to 1."""
    widths, path, state = [w * min(2**level, 8) for level in range(halvings)], "model.model", {}
    shapes = {f"{path}.0.weight": (w, 3, 4, 4), f"{path}.3.weight": (2 * w, 3, 4, 4), f"{path}.3.bias": (3,)}
    for level in range(1, halvings):
        path += ".3.model" if level > 1 else ".1.model"
        outer, inner, last = widths[level - 1], widths[level], level == halvings - 1
        shapes[f"{path}.1.weight"] = (inner, outer, 4, 4)
        shapes[f"{path}.{3 if last else 5}.weight"] = (inner if last else 2 * inner, outer, 4, 4)
        for norm, width in ((4, outer),) if last else ((2, inner), (6, outer)):
            shapes |= {f"{path}.{norm}.{part}": (width,) for part in ("weight", "bias", "running_mean")}
            state |= {f"{path}.{norm}.running_var": torch.full((width,), 2.0)}
            state |= {f"{path}.{norm}.num_batches_tracked": torch.tensor(9)}
    return draws(shapes) | state


def write_film(path):
    """A lossless film of six frames."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        for frame in frames():
            film.mux(stream.encode(av.VideoFrame.from_image(frame)))
        film.mux(stream.encode(None))


def frames():
    """Six parts of a wide picture, from left to right."""
    return [smooth(5, (76, 48), (16, 12)).crop((2 * index, 0, 64 + 2 * index, 48)) for index in range(6)]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A folder with every picture and every network that a command wants."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "photos/more").mkdir(parents=True)
    (folder / "pairs").mkdir()
    for name, seed, size in (("photo", 1, (96, 64)), ("large", 1, (1600, 1120)), ("medium", 2, (900, 700))):
        smooth(seed, size).save(folder / f"{name}.png")
    smooth(8, (96, 64), (48, 32)).save(folder / "rough.png")
    smooth(3, (80, 60), (12, 9)).save(folder / "ink.png")
    smooth(4, (64, 80), (40, 50)).save(folder / "oil.png")
    smooth(6, (64, 80), bands=4).save(folder / "alpha.png")
    lines = smooth(7, bands=1).point([0 if 110 < level < 130 else 255 for level in range(256)])
    lines.save(folder / "lines.png")
    for index, name in enumerate(("a", "b", "c", "more/d")):
        smooth(10 + index, (72, 56), (16, 12)).save(folder / f"photos/{name}.png")
    for index in range(8):
        left = np.asarray(smooth(20 + index, (48, 48)))
        Image.fromarray(np.hstack([left, 255 - left])).save(folder / f"pairs/{index}.png")
    frames()[0].save(folder / "film.gif", save_all=True, append_images=frames()[1:], duration=40)
    torch.save(pytorch_examples(), folder / "theirs.pth")
    torch.save(junyanz(), folder / "net_G.pth")
    return folder


# Outputs


def pixels(path):
    """Decoded pixels of a picture, of a film's frames, or of what an ONNX network makes; and the mode."""
    if path.suffix == ".onnx":
        onnxruntime = pytest.importorskip("onnxruntime")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        # A graph has no grain for flat places, so it is compared where there are none.
        image = np.asarray(Image.open("rough.png"))
        given = np.atleast_3d(image).transpose(2, 0, 1)[None].astype(np.float32) / 255
        (made,) = session.run(None, {session.get_inputs()[0].name: given})
        return (made[0].transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8), "RGB"
    if path.suffix == ".mp4":
        with pytest.importorskip("av").open(str(path)) as film:
            return np.stack([frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]), "RGB"
    with Image.open(path) as image:
        if getattr(image, "n_frames", 1) == 1:
            return np.asarray(image), image.mode
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)]), "RGB"


def grid(values):
    """Means of cells, by rows, of a picture or of all frames one below another."""
    whole = np.atleast_3d(values) if values.ndim < 4 else values.reshape(-1, *values.shape[2:])
    rows = (row for row in np.array_split(whole, CELLS))
    means = [cell.mean((0, 1)) for row in rows for cell in np.array_split(row, CELLS, 1)]
    return np.round(means).astype(int).ravel().tolist()


def fingerprint():
    """The machine, as far as it may change the last bits of a result."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    model = next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")
    return f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {model}"


def renew(case, found):
    """Entry of a case in guard.json; other machines' hashes stay where this machine's is what it was."""
    kept, here = json.loads(KEPT.read_text()) if KEPT.exists() else {}, fingerprint()
    for name, new in found.items():
        if digest := new.pop("hash", None):
            old = kept.get(case, {}).get(name, {}).get("hashes", {})
            new["hashes"] = {**(old if old.get(here) == digest else {}), here: digest}
    kept = {name: outputs for name, outputs in {**kept, case: found}.items() if name in CASES}
    KEPT.write_text(re.sub(r' ?("[^"]*": )(?=\{"(?!torch))', r"\n\1", json.dumps(kept)) + "\n")


def spread(one, other):
    """The largest absolute difference, or infinity between shapes."""
    one, other = np.asarray(one, int), np.asarray(other, int)
    return int(abs(one - other).max()) if one.shape == other.shape else float("inf")


# Tests


@pytest.fixture
def styler(run, inputs, tmp_path, monkeypatch):
    """A command line that must succeed, or after `STOP n` be interrupted at step n of a training."""
    shutil.copytree(inputs, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")

    def styler(*words):
        stop, words = (int(words[1]), words[2:]) if words[0] == "STOP" else (0, words)
        steps = []

        def press(*given):
            steps.append(given)
            if len(steps) == stop:
                signal.raise_signal(signal.SIGINT)

        hook = register_optimizer_step_post_hook(press)
        done = run(*words)
        hook.remove()
        assert done.code == (130 if stop else 0), done.err
        return done

    return styler


def commands(text):
    """Words of each command in a text; a line that begins with an option goes on with the one before."""
    return [shlex.split(command) for command in re.sub(r"\n +(?=-)", " ", text).split("\n")]


@pytest.mark.parametrize("case", CASES)
def test_a_command_makes_what_it_made(styler, case, capsysbinary):
    if "film.mp4" in CASES[case]:
        write_film(Path("film.mp4"))
    for words in commands(CASES[case]):
        styler(*words)
    found, made = {}, {}
    files = [*Path().glob("out.*"), *Path().glob("out-*"), *Path("out").rglob("*.png")]
    for file in sorted(files):
        made[file.name], mode = pixels(file)
        values = np.ascontiguousarray(made[file.name])
        found[file.as_posix()] = {"shape": list(values.shape), "mode": mode, "grid": grid(values)}
        if file.suffix != ".onnx":  # its last bits are onnxruntime's
            found[file.as_posix()]["hash"] = hashlib.sha256(values).hexdigest()
        array = re.sub("[ /]", "-", f"{case} {file.as_posix()}.npy")
        if COMPARE:
            with capsysbinary.disabled():
                print(f"\n{array}: {spread(np.load(COMPARE / array), values)}")  # noqa: T201
        if KEEP:
            KEEP.mkdir(parents=True, exist_ok=True)
            np.save(KEEP / array, values)
    if "out.onnx" in made:
        assert spread(made["out.onnx"], made["out.png"]) <= 1
    if os.environ.get("GUARD_WRITE"):
        return renew(case, found)
    kept, tolerance = json.loads(KEPT.read_text())[case], TOLERANCE.get(case.split()[0].split("-")[0], 3)
    assert sorted(found) == sorted(kept)
    for name, new in found.items():
        old = kept[name]
        assert (new["shape"], new["mode"]) == (old["shape"], old["mode"]), name
        assert spread(new["grid"], old["grid"]) <= tolerance, name
        assert new.get("hash") == old.get("hashes", {}).get(fingerprint(), new.get("hash")), name


def test_a_picture_tells_how_it_was_made(styler):
    styler("fast", "photo.png", "--style", "wave", "--strength", "0.5", "-o", "out.png")
    *recipe, again = styler("show", "out.png").lines
    recipe = json.loads("\n".join(recipe))
    assert {"command", "options", "model", "styles", "content", "size"} <= recipe.keys()
    assert recipe["command"] == "fast" and recipe["size"] == [96, 64] and recipe["options"]["strength"] == 0.5
    styler(*shlex.split(again)[1:], "-o", "again.png")
    assert spread(Image.open("again.png"), Image.open("out.png")) == 0


def test_a_network_shows_its_card(styler):
    card = json.loads(styler("models", "show", "wave").out)
    assert [style["name"] for style in card["styles"]] == ["wave"]
    assert (card["kind"], card["licence"], card["network"]["width"]) == ("transform", "MIT", 16)
    card = json.loads(styler("models", "show", "edges2cat").out)
    assert (card["kind"], card["licence"], card["network"]["width"]) == ("translate", "MIT", 24)


if __name__ == "__main__":
    assert sys.argv[1:] == ["--write"], "give --write"
    os.environ["GUARD_WRITE"] = "1"
    sys.exit(pytest.main([__file__, "-q"]))
