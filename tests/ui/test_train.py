"""`styler train-fast` as it is typed: what it writes, what it tells, what it refuses."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from narrow import slimmed
from PIL import Image

from styler.jobs.training import diary, fast
from styler.storage import runs
from styler.storage.models import library
from styler.ui import console

WORDS = (
    *("--model-size", "tiny", "--crop", "32", "--style-size", "48", "--batch", "2", "--steps", "4"),
    *("--save", "2", "--report", "1", "--loss-network", "net.safetensors", "--precision", "float32"),
)


def noise(name, size=(80, 64)):
    values = np.random.default_rng(len(name) + ord(name[-5])).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).resize(size).save(name)


@pytest.fixture
def train(run, tmp_path, monkeypatch):
    """`styler train-fast` on two styles and a few photos, tiny and quick, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    for name in ("ink.png", "Wild Waves.png", *(f"photos/{index}.png" for index in range(4))):
        noise(name)
    slimmed(tmp_path / "net.safetensors")
    monkeypatch.setattr(fast, "SAMPLE_SIDE", 16)

    def train(*words, styles=("ink.png",), dataset="photos", output="m.safetensors"):
        given = [word for style in styles for word in ("--style", style)]
        given += ["--dataset", dataset] if dataset else []
        return run("train-fast", *given, "-o", output, *WORDS, *words)

    return train


def test_a_folder_that_is_not_there_is_made(train):
    assert train(styles=("ink.png", "Big=Wild Waves.png"), output="new/one/").code == 0
    assert Path("new/one/ink-big.safetensors").is_file()


def weights(file):
    return library.read(Path(file)).network.state_dict()


def same(first, second):
    return all(torch.equal(first[name], second[name]) for name in first)


def interrupting(monkeypatch, step):
    """Let a Ctrl-C come while the log of a step is written."""
    entry_of = diary.entry_of

    def pressed(event, *given):
        if event.index == step:
            signal.raise_signal(signal.SIGINT)
        return entry_of(event, *given)

    monkeypatch.setattr(diary, "entry_of", pressed)


def test_trains_lists_and_tells(train):
    shutil.copytree("photos", "more/a b/c")
    Path("list.txt").write_bytes(b"photos\r\n\r\nmore/a b\r\n")
    done = train("--json", styles=("Wild Waves.png", "Blots=ink.png"), dataset="list.txt")
    assert done.code == 0
    (line,) = done.lines
    record = json.loads(line)
    assert record["output"] == "m.safetensors" and record["losses"]
    assert any(text.startswith("few photos (8)") for text in record["warnings"])
    card = library.read(Path("m.safetensors")).card
    assert [style.name for style in card.styles] == ["wild-waves", "blots"]
    assert train("--overwrite", "-q").err == ""


def test_odd_pictures_are_used_or_named(train):
    """Flat ones too: norms make of nothing an endless gradient, which once ended the training."""
    photo = Image.open("photos/0.png")
    for mode, name in (
        ("L", "grey.jpg"),
        ("RGBA", "a.png"),
        ("CMYK", "c.jpg"),
        ("P", "p.gif"),
        ("1", "b.png"),
    ):
        photo.convert(mode).save(f"photos/{name}")
    Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 257).save("photos/deep.png")
    for index in range(12):
        Image.new("RGB", (90, 70), (90, 30, 20 * index)).save(f"photos/flat{index}.png")
    noise("photos/tiny.png", (8, 8))
    Path("photos/text.jpg").write_text("no picture")
    done = train("--steps", "12")
    assert done.code == 0, done.err
    assert " skipped" in done.err and ": photos/t" in done.err


def test_warnings_of_styles_name_their_file(train):
    Image.open("photos/0.png").convert("CMYK").save("inked.jpg")
    done = train("--style", "inked.jpg", "-o", "x.safetensors")
    assert "inked.jpg: it is CMYK without a usable color profile" in done.err


def test_a_network_is_added_to_by_name(train, run):
    train()
    run("models", "add", "m.safetensors", "--name", "mine")
    done = train(
        "--add-to", "mine", "--model-size", "full", styles=["Wild Waves.png"], output="two.safetensors"
    )
    assert done.code == 0
    assert "width 8: --model-size is not used" in done.err
    card = library.read(Path("two.safetensors")).card
    assert [style.name for style in card.styles] == [
        "ink",
        "wild-waves",
    ]
    done = train("--add-to", "mime", styles=["Wild Waves.png"], output="three.safetensors")
    assert done.code == 1 and "mine" in done.err


def test_textures_tell_that_photos_are_not_used(train):
    done = train("--network", "texture")
    assert done.code == 0 and "--dataset is not used" in done.err
    assert "few photos" not in done.err
    assert train("--network", "texture", dataset=None, output="n.safetensors").err.count("\n") < 6


@pytest.mark.parametrize("words", [(), ("--video-stable",), ("--network", "texture")])
def test_ctrl_c_and_resume_make_the_same(train, words, monkeypatch):
    styles = ("ink.png", "Wild Waves.png")
    train(*words, "--steps", "6", styles=styles, output="whole.safetensors")
    for step in (2, 4):  # not in the first step of a run: nothing is done then that could be saved
        with monkeypatch.context() as patch:
            interrupting(patch, step)
            done = train(*words, *(["--resume"] if step > 2 else []), "--steps", "6", styles=styles)
        assert done.code == 130
        assert "go on with --resume" in done.err and f"stopped after {step} of 6 steps" in done.err
        assert "Done" not in done.err and not Path("m.safetensors").exists()
    assert train(*words, "--resume", "--steps", "6", styles=styles).code == 0
    assert same(weights("whole.safetensors"), weights("m.safetensors"))
    assert not runs.has_state("m.safetensors.training")


@pytest.mark.parametrize(
    ("words", "given", "code", "reason"),
    [
        ([], {"dataset": None}, 2, "--dataset"),
        ([], {"dataset": "none"}, 1, "none cannot be read: no such file"),
        ([], {"output": "m.pth"}, 1, "m.pth must end in .safetensors"),
        ([], {"output": "-"}, 1, "- must end in .safetensors"),
        ([], {"styles": ["日本=ink.png"]}, 1, "a to z and digits, and '日本' has none"),
        ([], {"styles": ["ink.png", "INK=Wild Waves.png"]}, 1, "two styles are called ink"),
        (["--add-to", "ink.png"], {"styles": ["Wild Waves.png"]}, 1, "a PNG picture"),
        (["--start-from", "ink.png"], {}, 1, "a PNG picture"),
        (["--start-from", "a", "--add-to", "b"], {}, 2, "give one"),
        (["--preset", "paper", "--loss-network", "vgg16"], {}, 1, "styler weights fetch vgg16"),
        (["--crop", "16"], {}, 2, "--crop"),
    ],
)
def test_refusals(train, words, given, code, reason):
    done = train(*words, **given)
    assert done.code == code and reason in done.err
    assert not Path("m.safetensors").exists() and not list(Path().glob("*.training"))


def test_pictures_that_cannot_be_read_are_no_photos(train):
    Path("bad").mkdir()
    Path("bad/a.jpg").write_text("no picture")
    done = train(dataset="bad")
    assert done.code == 1
    assert "bad has no pictures that can be read" in done.err and "bad/a.jpg is not a picture" in done.err


def test_flags_and_surroundings_overrule_a_recipe(train, monkeypatch):
    monkeypatch.setenv("STYLER_TRAIN_FAST_STYLE_LOSS", "covariance")
    assert train("--recipe", "paper").code == 0
    card = library.read(Path("m.safetensors")).card
    options = card.information["training"]["options"]
    assert (options["steps"], options["style_loss"], options["style_layers"][0][0]) == (
        4,
        "covariance",
        "relu1_2",
    )
    assert card.network["width"] == 8


def test_a_network_that_learned_nothing_is_told_of(train, monkeypatch):
    done = train("--learning-rate", "1e-7")
    assert done.code == 0 and "try more --steps" in done.err and "nothing was learned" not in done.err
    done = train("--learning-rate", "0", "--overwrite")
    assert done.code == 0 and "try more" not in done.err
    assert "at --learning-rate 0 nothing is learned: use a larger one" in done.err
    last = {"step": 4, "losses": {"style/relu1_1": 0.2}, "seconds": 1.0}
    monkeypatch.setattr(runs.Log, "last", last)
    monkeypatch.setattr(fast, "fault_of", lambda *given: "")
    done = train("--overwrite")
    assert done.code == 0 and "try more" not in done.err


def test_names_that_drive_a_terminal_are_shown_harmless(train):
    noise("a\nb\x1b[31m.png")
    done = train(styles=["a\nb\x1b[31m.png"], output="o\n1.safetensors")
    assert done.code == 0 and "\x1b" not in done.err and "o\\n1.safetensors" in done.err
    assert Path("o\n1.safetensors").is_file()
    assert console.printable("o\n") == "o\\n"
