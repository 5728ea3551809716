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
SMALL = ("--style-size", "32", "--model-size", "tiny")
NARROW = ("--width", "4", "--halvings", "2", "--blocks", "1", "--validation", "0")
OLD = b"an old file"
STATES = ("last.pt", "previous.pt")


@dataclass(frozen=True)
class Case:
    """A command: its words, its outputs, and what is added when it is typed again."""

    words: Sequence[str]
    outputs: Sequence[str]
    again: Sequence[str] = ("--overwrite",)


def cases() -> dict[str, Case]:
    """The commands by name; outputs are relative to the folder that they run in."""
    paint = ("--network", "compact", "--size", "32", "--steps", "4", "--coarse-steps", "2")
    known = {
        "optimize": Case(("optimize", "photo.png", "style.png", *paint, "-o", "o.png"), ["o.png"]),
        "optimize, folder": Case(
            ("optimize", "photos", "--style", "style.png", *paint, "-o", "out"),
            [f"out/{index}.png" for index in range(3)],
            (),
        ),
        "fast": Case(("fast", "photo.png", "--style", "ink", "-o", "o.jpg"), ["o.jpg"]),
        "fast, folder": Case(
            ("fast", "mixed", "--style", "ink", "-o", "out"), ["out/a.png", "out/b.gif", "out/b.png"], ()
        ),
        "fast, animation": Case(("fast", "clip.gif", "--style", "ink", "-o", "o.gif"), ["o.gif"]),
        "translate": Case(("translate", "photo.png", "--checkpoint", "edges2cat", "-o", "o.png"), ["o.png"]),
        "pairs": Case(
            ("pairs", "photos", "--edges", "-o", "out"), [f"out/{index}.png" for index in range(3)], ()
        ),
        "models convert": Case(("models", "convert", "ink", "-o", "o.safetensors"), ["o.safetensors"]),
        "train-fast": Case(
            ("train-fast", "--style", "style.png", "--dataset", "photos", *SMALL, *TRAINING),
            ["n.safetensors"],
            ("--resume",),
        ),
        "train-translate": Case(
            ("train-translate", "--edges", "photos", *NARROW, *TRAINING),
            ["n.safetensors"],
            ("--resume",),
        ),
    }
    if find_spec("av"):
        film = Case(("fast", "clip.mp4", "--style", "ink", "-o", "o.mp4"), ["o.mp4"], ("--resume",))
        translated = ("translate", "clip.mp4", "--checkpoint", "edges2cat", "-o", "o.webm")
        known |= {"fast, video": film, "translate, video": Case(translated, ["o.webm"], ("--resume",))}
        known["fast, folder of videos"] = Case(
            ("fast", "films", "--style", "ink", "-o", "out"), ["out/a.mp4"], ()
        )
    return known


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


def trial(
    case: Case, inputs: Path, right: dict[str, bytes], seconds: float, dice: random.Random
) -> list[str]:
    """Kill a run of a command and type it again; returns what went wrong."""
    with tempfile.TemporaryDirectory() as name:
        folder, faults = Path(name) / "run", []
        shutil.copytree(inputs, folder)
        number, replaces = dice.choice(SIGNALS), "--overwrite" in case.again and dice.random() < 0.5
        for output in case.outputs if replaces else ():
            (folder / output).write_bytes(OLD)
        words = [*case.words, *(["--overwrite"] if replaces else [])]
        code, _ = run(words, folder, number, dice.uniform(0, seconds))
        for output in case.outputs:
            path = folder / output
            data = path.read_bytes() if path.exists() else None
            whole = data in (None if not replaces else OLD, right[output])
            if not whole and not (number != signal.SIGKILL and case.words[0] == "optimize"):
                faults.append(f"{output} is half after {number.name}")
        if number != signal.SIGKILL and (left := temporaries(folder)):
            faults.append(f"{number.name} left {', '.join(sorted(left))}")
        begun = any(path.suffix == ".parts" or path.name in STATES for path in folder.rglob("*"))
        done = all((folder / output).exists() for output in case.outputs)
        again = case.again if case.again != ("--resume",) or begun or done else ()
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
    from styler.jobs.training import fast, pairs, translate  # noqa: F401
    from styler.storage.videos import encode

    encode.LONGEST = encode.SHORTEST = 8  # several segments in a short video
    dice, kills, bad = random.Random(asked.seed), Counter(), Counter()
    with tempfile.TemporaryDirectory() as name:
        inputs = Path(name)
        os.environ.update(STYLER_HOME=str(inputs / "home"), STYLER_THREADS="1")
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
