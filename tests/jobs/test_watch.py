"""What a painting leaves beside its picture, and going on from a checkpoint bit for bit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from styler.events import Note, Step
from styler.jobs.optimize import optimize
from styler.options.optimize import OptimizeOptions
from styler.storage.pictures.load import read_recipe

SCALES = ("--scales", "2", "--coarse-steps", "4", "--size", "48", "--steps", "5")


def painted(output: str, stop_after: int = 10**9, **changes):
    """Events of a painting in the current folder that is asked to stop after so many steps."""
    tiny = {"network": "net.safetensors", "precision": "float32", "size": 48, "scales": 2}
    options = OptimizeOptions(**{**tiny, "coarse_steps": 4, "steps": 5, **changes})
    events = []

    def stop() -> bool:
        return sum(isinstance(event, Step) for event in events) >= stop_after

    for event in optimize(["photo.png"], ["style.png"], output, options, stop):
        events.append(event)
    return events


def notes(events) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Note))


def pixels(name):
    with Image.open(name) as picture:
        return picture.tobytes()


# Resume


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stops=st.lists(st.integers(1, 13), min_size=1, max_size=3),
    scales=st.sampled_from([2, 3]),
    optimizer=st.sampled_from(["lbfgs", "lbfgs", "adam", "scipy"]),
    color=st.sampled_from(["style", "histogram"]),
)
def test_a_resumed_run_gives_the_same_bytes(studio, stops, scales, optimizer, color):
    chosen = {"optimizer": optimizer, "color": color, "scales": scales, "size": 96, "overwrite": True}
    painted("whole.png", **chosen)
    Path("state").unlink(missing_ok=True)
    for index, after in enumerate(stops):
        painted("resumed.png", after, checkpoint="state", resume="state" if index else "", **chosen)
    painted("resumed.png", resume="state", **chosen)
    assert Path("resumed.png").read_bytes() == Path("whole.png").read_bytes()


def test_a_killed_run_goes_on_to_the_same_bytes(studio):
    chosen = {"size": 64, "coarse_steps": 150, "steps": 50, "seed": 1, "threads": 1}
    words = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    words += ["--network", "net.safetensors", "--precision", "float32", "--scales", "2", "-q", "-o", "a.png"]
    words += ["--checkpoint", "state", "--checkpoint-every", "3", "photo.png", "style.png"]
    command = [sys.executable, "-m", "styler", "optimize", *words]
    process = subprocess.Popen(command)
    begun = time.monotonic()
    while not Path("state").exists() and time.monotonic() - begun < 300:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL and not Path("a.png").exists()
    painted("a.png", resume="state", **chosen)
    painted("b.png", **chosen)
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_a_stopped_run_says_so_and_at_which_step(studio):
    events = painted("a.png", 6, checkpoint="state")
    assert "stopped at step 6 of 9; go on with --resume state" in notes(events)
    recipe = read_recipe("a.png")
    assert recipe["interrupted"] and (recipe["step"], recipe["of"]) == (6, 9)
    assert "stopped at step 2 of 9" in notes(painted("b.png", 2))


def test_a_run_that_is_asked_to_stop_at_its_end_is_whole(studio):
    painted("a.png", 9)
    assert "interrupted" not in read_recipe("a.png")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"seed": 3}, "other --seed"),
        ({"steps": 6}, "other --steps"),
        ({"style_weight": 2.0}, "other --style-weight"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused(studio, changes, says):
    painted("a.png", 3, checkpoint="state")
    before = Path("a.png").read_bytes()
    with pytest.raises(Exception, match=says):
        painted("a.png", resume="state", **changes)
    assert Path("a.png").read_bytes() == before


def test_another_style_is_refused_and_so_is_a_file_that_is_none(paint, studio):
    assert paint("--checkpoint", "state", "--checkpoint-every", "1").code == 0
    done = paint("--resume", "state", "-o", "b.png", inputs=("photo.png", "photo.png"))
    assert done.code == 1 and "other style 1" in done.err
    (studio / "state").write_bytes(b"nonsense")
    done = paint("--resume", "state", "-o", "b.png")
    assert done.code == 1 and "no checkpoint of styler optimize" in done.err and "Traceback" not in done.err
    assert not (studio / "b.png").exists()


# Watch


def test_snapshots_log_chart_and_animation(paint, studio):
    done = paint(*SCALES, "--save-every", "3", "--log", "l.jsonl", "--plot", "p.svg", "--animate", "a.gif")
    assert done.code == 0, done.err
    shots = sorted(path.name for path in studio.glob("photo-style-*.png"))
    assert shots == ["photo-style-0003.png", "photo-style-0006.png", "photo-style-0009.png"]
    with Image.open(shots[0]) as shot, Image.open("photo-style.png") as whole:
        assert shot.size == whole.size
    entries = [json.loads(line) for line in Path("l.jsonl").read_text().splitlines()]
    assert [entry["step"] for entry in entries] == [*range(1, 10)]
    assert [entry["scale"] for entry in entries] == [1] * 4 + [2] * 5
    assert all(entry["losses"]["style/relu1_1"] > 0 for entry in entries)
    assert Path("p.svg").read_text().count("<polyline") == 1 + len(entries[0]["losses"])
    with Image.open("a.gif") as animation:
        assert animation.n_frames > 5


@pytest.mark.parametrize("ending", [".webp", ".mp4"])
def test_animations_of_other_kinds(paint, studio, ending):
    if ending == ".mp4":
        pytest.importorskip("av")
    assert paint("--animate", f"a{ending}", "--plot", "p.png").code == 0
    assert (studio / f"a{ending}").stat().st_size > 500
    with Image.open("p.png") as chart:
        assert chart.width > chart.height


def test_a_resumed_log_has_each_step_once_and_the_animation_all_frames(studio):
    painted("a.png", 6, checkpoint="state", log="l.jsonl", animate="a.gif")
    painted("a.png", resume="state", log="l.jsonl", animate="a.gif", plot="p.png")
    steps = [json.loads(line)["step"] for line in Path("l.jsonl").read_text().splitlines()]
    assert steps == [*range(1, 10)]
    painted("b.png", animate="b.gif")
    assert pixels("a.gif") == pixels("b.gif")
    with Image.open("a.gif") as one, Image.open("b.gif") as other:
        assert one.n_frames == other.n_frames


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--animate", "a.xyz"), "must end in one of .gif"),
        (("--plot", "a.doc"), "must end in one of"),
        (("--log", "same", "--checkpoint", "same"), "written twice"),
        (("--log", "photo.png"), "photo.png"),
        (("--plot", "photo-style.png"), "written twice"),
        (("--save-every", "1", "-o", "-"), "give --output a file"),
        (("--checkpoint", "no/such/../folder\0"), ""),
    ],
)
def test_what_cannot_be_written_is_found_before_the_start(paint, studio, words, says):
    before = {path.name: path.read_bytes() for path in studio.iterdir() if path.is_file()}
    done = paint(*words)
    assert done.code in (1, 2) and says in done.err and "Traceback" not in done.err
    assert {path.name: path.read_bytes() for path in studio.iterdir() if path.is_file()} == before


def test_files_of_one_picture_are_refused_for_several(run, studio):
    done = run("optimize", "photo.png", "style.png", "--style", "style.png", "--log", "l.jsonl", "-o", "out/")
    assert done.code == 1 and "--log is of one picture" in done.err


# Recipes of other pictures


def test_options_of_another_picture_are_repeated_and_flags_win(run, paint, studio):
    assert (
        paint("--seed", "5", "--style-weight", "2", "--content-layers", "relu3_1:0.5", "-o", "a.png").code
        == 0
    )
    words = ("--params-from", "a.png", "--network", "net.safetensors", "--seed", "6", "-o", "b.png")
    assert run("optimize", "style.png", "photo.png", *words).code == 0
    old, new = read_recipe("a.png")["options"], read_recipe("b.png")["options"]
    assert new == {**old, "seed": 6}


def test_a_recipe_names_no_file_and_is_checked(run, paint, studio):
    from styler.storage.pictures.save import save_picture

    options = {
        "init": "../../etc/passwd",
        "network": "/tmp/x.safetensors",
        "overwrite": True,
        "log": "x",
        "steps": 1,
    }
    recipe = {"version": 1, "command": "optimize", "options": options}
    save_picture("evil.png", torch.rand(1, 3, 32, 32), recipe=recipe)
    done = run(
        "optimize", "photo.png", "style.png", "--params-from", "evil.png", "--size", "32", "-o", "photo.png"
    )
    assert done.code == 1 and not Path("x").exists(), "a recipe must not overwrite"
    save_picture("bad.png", torch.rand(1, 3, 32, 32), recipe={**recipe, "options": {"steps": "many"}})
    done = run("optimize", "photo.png", "style.png", "--params-from", "bad.png")
    assert done.code == 2 and "many" in done.err
    save_picture("other.png", torch.rand(1, 3, 32, 32), recipe={**recipe, "command": "fast"})
    done = run("optimize", "photo.png", "style.png", "--params-from", "other.png")
    assert done.code == 1 and "not made by styler optimize" in done.err
