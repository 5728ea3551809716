"""Kill commands at random moments, and count what is lost and what does not go on.

    python benchmarks/kills.py [--kills 100] [--seed 0]

Each run of a command, on tiny inputs, gets SIGKILL, SIGTERM or SIGINT at a random moment. Then no old file
may be damaged, nothing half may lie at a final name, and after SIGTERM and SIGINT no temporary may be left.
The command is typed again, with --resume where it has that, and must make the very bytes of a run that
nothing has stopped. The processes are forked from one that has torch loaded (Linux, macOS); videos need PyAV.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TRAINING = ("--crop", "32", "--batch", "1", "--steps", "4", "--save", "1", "-o", "n.safetensors")
RESUME = ("--resume",)
KEPT = ("--checkpoint", "c.pt", "--checkpoint-every", "1", "--animate", "a.gif")
DREAM = ("dream", "photo.png", "--steps", "3", "--octaves", "1")
TINY = ("--factor", "2", "--width", "4", "--blocks", "1")
SMALL = ("--style-size", "32", "--model-size", "tiny")
NARROW = ("--width", "4", "--halvings", "2", "--blocks", "1", "--validation", "0")
OLD = b"an old file"
STATES = ("last.pt", "previous.pt")


@dataclass(frozen=True)
class Case:
    """A command: its words, its outputs, and what is added when it is typed again.

    `stands`: whether Ctrl-C saves the picture as it stands under the final name. `state`: a file without
    which `again` is left out.
    """

    words: Sequence[str]
    outputs: Sequence[str]
    again: Sequence[str] = ("--overwrite",)
    stands: bool = False
    state: str = ""


def cases() -> dict[str, Case]:
    """The commands by name; outputs are relative to the folder that they run in."""
    paint = ("--network", "compact", "--size", "32", "--steps", "4", "--coarse-steps", "2")
    known = {
        "optimize": Case(
            ("optimize", "photo.png", "style.png", *paint, "-o", "o.png"), ["o.png"], stands=True
        ),
        "optimize, checkpoint": Case(
            ("optimize", "photo.png", "style.png", *paint, *KEPT, "-o", "o.png"),
            ["o.png", "a.gif"],
            ("--resume", "c.pt", "--overwrite"),
            stands=True,
            state="c.pt",
        ),
        "optimize, folder": Case(
            ("optimize", "photos", "--style", "style.png", *paint, "-o", "out"),
            [f"out/{index}.png" for index in range(3)],
            (),
        ),
        "fast": Case(("fast", "photo.png", "--style", "ink", "-o", "o.jpg"), ["o.jpg"]),
        "fast, folder": Case(
            ("fast", "mixed", "--style", "ink", "-o", "out"), ["out/a.png", "out/b.gif", "out/b.png"], ()
        ),
        "fast, animation": Case(("fast", "clip.gif", "--style", "ink", "-o", "o.gif"), ["o.gif"], RESUME),
        "fast, WebP": Case(("fast", "clip.gif", "--style", "ink", "-o", "o.webp"), ["o.webp"], RESUME),
        "fast, learned": Case(
            ("fast", "photo.png", "--style", "style.png", "-o", "o.png"), ["o.png"], stands=True
        ),
        "fast, learned, folder": Case(
            ("fast", "mixed", "--style", "style.png", "-o", "out"),
            ["out/a.png", "out/b.gif", "out/b.png"],
            (),
        ),
        "translate": Case(("translate", "photo.png", "--checkpoint", "edges2cat", "-o", "o.png"), ["o.png"]),
        "pairs": Case(
            ("pairs", "photos", "--edges", "-o", "out"), [f"out/{index}.png" for index in range(3)], ()
        ),
        "models convert": Case(("models", "convert", "ink", "-o", "o.safetensors"), ["o.safetensors"]),
        "train-fast": Case(
            ("train-fast", "--style", "style.png", "--dataset", "photos", *SMALL, *TRAINING),
            ["n.safetensors"],
            RESUME,
        ),
        "train-enlarge": Case(
            ("train-enlarge", "--dataset", "photos", *TINY, *TRAINING), ["n.safetensors"], RESUME
        ),
        "train-translate": Case(
            ("train-translate", "--edges", "photos", *NARROW, *TRAINING),
            ["n.safetensors"],
            RESUME,
        ),
        **newer(),
    }
    if find_spec("av"):
        film = Case(("fast", "clip.mp4", "--style", "ink", "-o", "o.mp4"), ["o.mp4"], RESUME)
        translated = ("translate", "clip.mp4", "--checkpoint", "edges2cat", "-o", "o.webm")
        known |= {"fast, video": film, "translate, video": Case(translated, ["o.webm"], RESUME)}
        known["enlarge, video"] = Case(
            ("enlarge", "clip.mp4", "--scale", "2", "-o", "o.mp4"), ["o.mp4"], RESUME
        )
        known["dream, video"] = Case((*DREAM, "--frames", "5", "-o", "o.mp4"), ["o.mp4"], RESUME)
        known["fast, folder of videos"] = Case(
            ("fast", "films", "--style", "ink", "-o", "out"), ["out/a.mp4"], ()
        )
    return known


def newer() -> dict[str, Case]:
    """Enlarging, grids, textures and looking inside."""
    grid = ("grid", "photo.png", "style.png", "--columns", "style-weight=0.3,1,3", "--size", "32")
    short = ("--steps", "3", "--coarse-steps", "1")
    texture = ("texture", "style.png", "--size", "32", *short, "-o", "o.png")
    invert = (
        "invert",
        "photo.png",
        "--size",
        "48",
        "--steps",
        "4",
        "--layers",
        "relu1_1,relu2_1",
        "-o",
        "o.png",
    )
    pictures = [f"out/{index}.png" for index in range(3)]
    return {
        "enlarge": Case(("enlarge", "photo.png", "--scale", "2", "-o", "o.png"), ["o.png"]),
        "enlarge, folder": Case(("enlarge", "photos", "--scale", "2", "-o", "out"), pictures, ()),
        "enlarge, animation": Case(("enlarge", "clip.gif", "--scale", "2", "-o", "o.gif"), ["o.gif"], RESUME),
        "grid": Case((*grid, *short, "-o", "o.png"), ["o.png"], ()),
        "texture": Case(texture, ["o.png"], stands=True),
        "invert": Case(invert, ["o.png"], stands=True),
        "imagine": Case(
            ("imagine", "--channel", "conv3_1:0-2", "--size", "32", "--steps", "6", "-o", "o.png"),
            ["o.png"],
            stands=True,
        ),
        "dream": Case((*DREAM, "-o", "o.png"), ["o.png"], stands=True),
        "dream, folder": Case(("dream", "photos", *DREAM[2:], "-o", "out"), pictures, ()),
        "dream, animation": Case((*DREAM, "--frames", "5", "-o", "o.gif"), ["o.gif"], RESUME),
        "saliency": Case(("saliency", "photo.png", "--raw", "-o", "o.png"), ["o.png", "o.npy"], stands=True),
        "features": Case(("features", "photo.png", "--top", "3", "-o", "o.png"), ["o.png"], stands=True),
        "features, folder": Case(("features", "photos", "--top", "3", "-o", "out"), pictures, ()),
        "models add": Case(("models", "add", "mine.safetensors"), ["home/models/mine.safetensors"]),
        "models export": Case(("models", "export", "ink", "o.onnx"), ["o.onnx"]),
    }


def prepare(folder: Path) -> None:
    """Write the inputs."""
    drawn = np.random.default_rng(0).integers(0, 256, (12, 6, 8, 3), np.uint8)
    pictures = [Image.fromarray(values).resize((64, 48)) for values in drawn]
    for name in ("photos", "mixed", "films"):
        (folder / name).mkdir()
    for index in range(3):
        pictures[index].save(folder / "photos" / f"{index}.png")
    for name, picture in (("photo.png", 3), ("style.png", 4), ("mixed/a.png", 5), ("mixed/b.bmp", 6)):
        pictures[picture].save(folder / name)
    shutil.copy(Path(__file__).parents[1] / "styles" / "ink.safetensors", folder / "mine.safetensors")
    for name in ("clip.gif", "mixed/b.gif"):
        pictures[0].save(folder / name, save_all=True, append_images=pictures[1:], duration=100)
    if find_spec("av"):
        import av

        with av.open(str(folder / "clip.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for picture in pictures * 3:
                container.mux(stream.encode(av.VideoFrame.from_image(picture)))
            container.mux(stream.encode(None))
        shutil.copy(folder / "clip.mp4", folder / "films" / "a.mp4")


def run(
    words: Sequence[str], folder: Path, number: int | None = None, after: float = 0.0
) -> tuple[int, float]:
    """Run styler in a forked process, with a signal after some seconds; returns exit code and seconds."""
    begun, child = time.monotonic(), os.fork()
    if child == 0:
        os.chdir(folder)
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(log, stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background of a shell
        os.environ["STYLER_HOME"] = str(folder / "home")
        sys.argv = ["styler", *words]
        code = 1
        try:
            from styler.ui.cli import main

            main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    if number is not None:
        time.sleep(after)
        os.kill(child, number)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), time.monotonic() - begun


def temporaries(folder: Path) -> set[str]:
    """Hidden temporaries outside of the folders that interrupted runs go on from."""
    parts = (path.relative_to(folder) for path in folder.rglob(".*.part"))
    return {
        str(path)
        for path in parts
        if not any(name.endswith((".parts", ".training")) for name in path.parts[:-1])
    }


def readable(path: Path) -> bool:
    """Whether a picture, or an array, is whole."""
    try:
        if path.suffix == ".npy":
            np.load(path)
        else:
            with Image.open(path) as image:
                image.load()
    except (OSError, ValueError):
        return False
    return True


def trial(
    case: Case, inputs: Path, right: dict[str, bytes], seconds: float, dice: random.Random
) -> list[str]:
    """Kill a run of a command and type it again; returns what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder, faults = Path(name) / "run", []
        shutil.copytree(inputs, folder)
        number, replaces = dice.choice(SIGNALS), "--overwrite" in case.again and dice.random() < 0.5
        for output in case.outputs if replaces else ():
            (folder / output).parent.mkdir(parents=True, exist_ok=True)
            (folder / output).write_bytes(OLD)
        words = [*case.words, *(["--overwrite"] if replaces else [])]
        code, _ = run(words, folder, number, dice.uniform(0, seconds))
        for output in case.outputs:
            path = folder / output
            data = path.read_bytes() if path.exists() else None
            whole = data in (None if not replaces else OLD, right[output])
            if not whole and not (number != signal.SIGKILL and case.stands and readable(path)):
                faults.append(f"{output} is half after {number.name}")
        if number != signal.SIGKILL and (left := temporaries(folder)):
            faults.append(f"{number.name} left {', '.join(sorted(left))}")
        begun = any(path.suffix == ".parts" or path.name in STATES for path in folder.rglob("*"))
        done = all((folder / output).exists() for output in case.outputs)
        if case.state:
            again = case.again if (folder / case.state).exists() else ("--overwrite",)
        else:
            again = case.again if case.again != RESUME or begun or done else ()
        code, _ = run([*case.words, *again], folder)
        if code and not (done and not begun):  # what is whole already is refused, and stays
            faults.append(f"again: exit code {code}: {(folder / 'log').read_text(errors='replace')[-300:]}")
        for output in case.outputs:
            path = folder / output
            if not path.exists() or path.read_bytes() != right[output]:
                faults.append(f"{output} differs when it is made again after {number.name}")
    return faults


def main() -> None:
    """Print for each command the kills and what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    from styler.jobs import batch, optimize  # noqa: F401  loaded once, before the forks
    from styler.jobs.see import apply  # noqa: F401
    from styler.jobs.training import enlarge, fast, pairs, translate  # noqa: F401
    from styler.options.fast import LEARNING, LEARNING_STEPS
    from styler.storage.videos import encode

    encode.LONGEST = encode.SHORTEST = 8  # several segments in a short video
    LEARNING.update(crop=32, average=0.0)
    LEARNING_STEPS["normal"] = 4
    dice, kills, bad = random.Random(asked.seed), Counter(), Counter()
    with tempfile.TemporaryDirectory() as name:
        inputs = Path(name)
        os.environ.update(STYLER_THREADS="1")
        prepare(inputs)
        known, right, seconds = cases(), {}, {}
        for label, case in known.items():
            with tempfile.TemporaryDirectory() as place:
                folder = Path(place) / "run"
                shutil.copytree(inputs, folder)
                code, seconds[label] = run(case.words, folder)
                if code:
                    sys.exit(f"{label}: {(folder / 'log').read_text(errors='replace')}")
                right[label] = {output: (folder / output).read_bytes() for output in case.outputs}
        for count in range(asked.kills):
            label = list(known)[count % len(known)]
            faults = trial(known[label], inputs, right[label], 1.1 * seconds[label], dice)
            kills[label] += 1
            bad[label] += bool(faults)
            for fault in faults:
                print(f"  {label}: {fault}", flush=True)
    for label in known:
        print(f"{label}: {kills[label]} kills, {bad[label]} with a fault ({seconds[label]:.1f} s)")
    print(f"{sum(kills.values())} kills, {sum(bad.values())} with a fault")


if __name__ == "__main__":
    main()
