"""`styler saliency` as it is typed, and classes by name."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from narrow import indexed, saved, squeezed
from PIL import Image
from runs import ended
from trees import ROOT as PACKAGE

from styler.classifiers import SCORES, activation
from styler.errors import InputError, WeightsError
from styler.jobs.see.saliency import saliency
from styler.options.see import SaliencyOptions
from styler.storage.models import classifiers, install
from styler.storage.pictures.load import load_picture

ROOT = PACKAGE.parent
REAL = ROOT.parent / "shared/data/classifier/squeezenet1_1.pth"


@pytest.fixture
def squeezenet(studio):
    """SqueezeNet with ten random classes, installed."""
    install.add("squeezenet", saved(studio / "squeezenet.pth", squeezed()))


def test_the_class_with_the_highest_score(run, studio, squeezenet):
    done = run("saliency", "photo.png", "--raw", "--size", "48", "--json")
    assert done.code == 0, done.err
    recipe = json.loads("\n".join(run("show", "photo-saliency.png").lines[:-1]))
    image = load_picture("photo.png", long_side=48).image
    scores = activation(classifiers.load("squeezenet"), image, SCORES).flatten()
    assert recipe["unit"] == f"class {int(scores.argmax())}" == recipe["top"][0] and len(recipe["top"]) == 5
    values = np.load(studio / "photo-saliency.npy")
    assert values.shape == (3, 3, 36, 48) and values.dtype == np.float32
    x = image.requires_grad_()
    (gradient,) = torch.autograd.grad(
        activation(classifiers.load("squeezenet"), x, SCORES)[0, scores.argmax(), 0, 0], x
    )
    assert np.allclose(values[0], gradient[0].numpy(), rtol=1e-4, atol=1e-7)
    again = run(*run("show", "photo-saliency.png").lines[-1].split()[1:], "-o", "again.png")
    assert again.code == 0, again.err
    assert (studio / "again.png").read_bytes() == (studio / "photo-saliency.png").read_bytes()


def test_one_class_by_number_and_one_method(run, studio, squeezenet):
    assert run("saliency", "photo.png", "--class", "7", "--method", "guided", "--size", "48").code == 0
    with Image.open(studio / "photo-saliency.png") as sheet:
        assert sheet.height < 300  # one row of three
    done = run("saliency", "photo.png", "--class", "10", "-o", "x.png")
    assert done.code == 1 and "from 0 to 9" in done.err


def test_without_a_classifier_it_looks_at_a_layer_and_says_so(run, studio):
    done = run("saliency", "photo.png", "--size", "48")
    assert done.code == 0 and "styler weights fetch squeezenet" in done.err and "relu5_1" in done.err
    assert run("saliency", "photo.png", "--layer", "conv2_1:3", "--size", "48", "-o", "x.png").code == 0


def test_folders_are_batches_and_what_exists_is_left_alone(run, studio):
    (studio / "in").mkdir()
    for name in ("a.png", "b.png"):
        (studio / "in" / name).write_bytes((studio / "photo.png").read_bytes())
    (studio / "in" / "c.png").write_bytes(b"no picture")
    words = ("saliency", "in", "--layer", "relu2_1", "--size", "32", "-o", "out")
    done = run(*words)
    assert done.code == 1 and "2 done, 1 failed" in done.err
    assert {path.name for path in (studio / "out").iterdir()} == {"a.png", "b.png"}
    assert "2 skipped" in run(*words).err
    dry = run("saliency", "photo.png", "--layer", "relu2_1", "--dry-run")
    assert dry.code == 0 and "320 x 240" in dry.err and not (studio / "photo-saliency.png").exists()


def test_values_of_pictures_of_one_name_are_kept_apart(run, studio):
    Image.open("style.png").save("photo.jpg")
    done = run(
        "saliency", "photo.png", "photo.jpg", "--layer", "relu2_1", "--size", "48", "--raw", "-o", "out"
    )
    assert done.code == 0, done.err
    names = {path.name for path in (studio / "out").iterdir()}
    assert names == {"photo.png", "photo.jpg", "photo.png.npy", "photo.jpg.npy"}
    assert np.load("out/photo.png.npy").shape != np.load("out/photo.jpg.npy").shape


def test_a_sheet_that_is_stopped_has_the_rows_that_are_done(run, studio):
    """Of many it is a part, as are its values, and the next run begins it anew."""
    options = SaliencyOptions(layer="relu2_1", size=48, network="net.safetensors", raw=True)
    count = itertools.count()
    ended(saliency(["photo.png", "style.png"], "out", options, lambda: next(count) > 1), [])
    left = sorted(path.name for path in (studio / "out").iterdir())
    assert left == ["photo-partial.npy", "photo-partial.png"]
    assert np.load("out/photo-partial.npy").shape == (2, 3, 36, 48)
    recipe = json.loads("\n".join(run("show", "out/photo-partial.png").lines[:-1]))
    assert recipe["interrupted"] is True
    ended(saliency(["photo.png", "style.png"], "out", options), [])
    assert np.load("out/photo.npy").shape == (3, 3, 36, 48)


def test_bad_input_is_one_line_and_nothing_is_written(run, studio):
    before = set(studio.iterdir())
    for words, text in (
        (("--class", "tabby"), "styler weights fetch squeezenet"),
        (("--class", "tabby", "--network", "compact"), "has no classes"),
        (("--class", "tabby", "--network", "vgg91"), "no weights are called 'vgg91'"),
        (("--class", "tabby", "--network", "nothing.pth"), "nothing.pth"),
        (("--class", "tabby", "--layer", "relu2_1"), "one of them"),
        (("--layer", "relu2_9"), "no layer"),
        (("--layer", "conv2_1:0-4"), "one channel at a time"),
        (("--layer", "relu2_1", "--raw", "-o", "-"), "--raw"),
        (("--layer", "relu2_1", "-o", "photo.png"), "photo.png"),
    ):
        done = run("saliency", "photo.png", *words)
        assert done.code == 1 and text in done.err and len(done.err.splitlines()) == 1, (words, done.err)
    (studio / "photo-saliency.npy").write_bytes(b"mine")
    done = run("saliency", "photo.png", "--layer", "relu2_1", "--raw")
    assert done.code == 1 and "photo-saliency.npy exists already" in done.err
    assert set(studio.iterdir()) - before == {studio / "photo-saliency.npy"}


def whole(file, network, last):
    """A narrow VGG with a head of four classes; `last` is its last convolution."""
    state, draw = indexed(network), torch.Generator().manual_seed(0)
    side = state[f"features.{last}.bias"].numel()
    for key, (rows, columns) in {"0": (9, 49 * side), "3": (9, 9), "6": (4, 9)}.items():
        state[f"classifier.{key}.weight"] = torch.randn(rows, columns, generator=draw)
        state[f"classifier.{key}.bias"] = torch.zeros(rows)
    return saved(file, state)


@pytest.mark.parametrize(("network", "last"), [("vgg16", 28), ("vgg19", 34)])
def test_a_whole_vgg_scores_classes_in_every_command(run, studio, network, last):
    whole(studio / "whole.pth", network, last)
    given = ("--network", "whole.pth", "-o", "out.png", "--overwrite")
    for words in (
        ("saliency", "photo.png", "--size", "48"),
        ("saliency", "photo.png", "--size", "48", "--class", "2"),
        ("imagine", "--class", "2", "--size", "32", "--steps", "1"),
        ("dream", "photo.png", "--class", "random", "--steps", "2", "--octaves", "1"),
    ):
        done = run(*words, *given)
        assert done.code == 0, done.err
        recipe = json.loads("\n".join(run("show", "out.png").lines[:-1]))
        named = [recipe.get("unit"), *recipe.get("units", []), *recipe.get("classes", [])]
        assert all(name.startswith("class ") for name in named if name), recipe


def test_a_whole_vgg_has_classes_where_a_user_has_it(studio):
    network = classifiers.load(str(whole(studio / "whole.pth", "vgg16", 28)), classes=True)
    assert network.network == "vgg16" and network.widths()[SCORES] == 4
    with pytest.raises(WeightsError, match="convolutions only"):
        classifiers.load("net.safetensors", classes=True)


def test_classes_by_name():
    assert classifiers.find_class("tabby", 1000) == 281 and classifiers.find_class("281", 1000) == 281
    assert classifiers.find_class("TABBY", 1000) == 281
    assert classifiers.class_name(281, 1000) == "tabby" and classifiers.class_name(3, 10) == "class 3"
    for text, words in (("cat", "tiger cat"), ("taby", "tabby"), ("1000", "from 0 to 999")):
        with pytest.raises(InputError, match=words):
            classifiers.find_class(text, 1000)


@pytest.mark.skipif(not REAL.is_file(), reason="the real SqueezeNet is not here")
def test_the_real_squeezenet_sees_a_tabby(run, studio):
    install.add("squeezenet", REAL)
    done = run("saliency", ROOT / "examples/cat.jpg", "--size", "224", "-o", "cat.png")
    assert done.code == 0, done.err
    assert json.loads("\n".join(run("show", "cat.png").lines[:-1]))["unit"] == "tabby"


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("saliency", "photo.png", "--layer", "relu4_1", "--size", "512"), "use --size "),
        (("features", "photo.png", "--layer", "relu4_1", "--size", "512"), "use --size "),
        (("dream", "photo.png", "--layer", "relu4_1", "--size", "512"), "use --size "),
        (("dream", "photo.png", "--layer", "relu4_1", "--size", "800"), "use --tile "),
        (("dream", "photo.png", "--size", "512", "--frames", "2", "-o", "x.gif"), "use --size "),
        (("imagine", "--channel", "conv4_1:0", "--size", "512"), "use --size "),
        (("invert", "photo.png", "--size", "512"), "use a smaller --size"),
    ],
)
def test_a_picture_that_is_too_large_for_the_memory_is_refused(run, studio, monkeypatch, words, advice):
    before = set(studio.iterdir())
    monkeypatch.setattr("styler.jobs.see.view.free_memory", lambda device: 10_000_000)
    monkeypatch.setattr("styler.jobs.see.synthesis.room_for", lambda *given: 10_000_000)
    done = run(*words)
    assert done.code == 1 and advice in done.err and len(done.err.splitlines()) == 1, done.err
    assert set(studio.iterdir()) == before


def test_a_sheet_that_would_be_too_large_is_refused_before_the_work(run, studio, squeezenet):
    """Of 64 x 48 pixels there are twelve cells."""
    limit = ("--size", "full", "--max-pixels", str(11 * 64 * 48))
    done = run("saliency", "photo.png", *limit)
    assert done.code == 1 and "the output would be 256x144" in done.err and "saliency of" not in done.err
    assert run("saliency", "photo.png", *limit, "--method", "guided").code == 0
    words = ("imagine", "--channel", "conv4_2:0-8", "--size", "100", "--steps", "1")
    done = run(*words, "--max-pixels", "80000")
    assert done.code == 1 and "the output would be 300x300" in done.err and "conv4_2" not in done.err
