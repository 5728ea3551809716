"""`styler models` with translators, as it is typed: what is listed, shown, added and exported."""

import json
from pathlib import Path

import numpy as np
import pytest
from corpus import picture
from nets import architecture
from PIL import Image
from theirs import save_unet

from styler.image import conditions
from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.networks.kinds import build, described
from styler.networks.layers import initialize
from styler.networks.residual import ResidualNetwork
from styler.plans import ResidualArchitecture
from styler.storage.cards import Card, Style, Translation
from styler.storage.models import find, library
from styler.storage.models.library import Model

MADE = architecture(width=2, halvings=5)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The current folder with a photo and junyanz's net_G.pth; the translator cats and the style ink."""
    monkeypatch.setattr(find, "_bundled", lambda: None)
    monkeypatch.chdir(tmp_path)
    library.folder().mkdir(parents=True)
    network = build(MADE)
    initialize(network, 1)
    about = Translation(direction="AtoB", batch=1, dropout=True, inputs="edges", outputs="cat")
    card = Card("translate", described(MADE), (), "MIT", about.information)
    library.write(library.folder() / "cats.safetensors", Model(network, card))
    save_unet("net_G.pth")
    style = ResidualNetwork(ResidualArchitecture(width=2, styles=1))
    card = Card("transform", described(style.config), (Style("ink"),), "MIT")
    library.write(library.folder() / "ink.safetensors", Model(style, card))
    enlarger = EnlargeNetwork(EnlargeArchitecture(width=2, blocks=0))
    card = Card("enlarge", described(enlarger.config))
    library.write(library.folder() / "large.safetensors", Model(enlarger, card))
    picture(size=(40, 24)).save("photo.png")


def test_translators_are_listed_by_what_they_translate(run):
    rows = {row["name"]: row for row in map(json.loads, run("models", "--json").lines)}
    assert rows["cats"]["styles"] == "edges -> cat" and rows["cats"]["kind"] == "translate"
    assert rows["ink"]["styles"] == "ink"


def test_a_translator_s_file_is_shown(run):
    told = json.loads(run("models", "show", "cats").out)
    assert told["information"]["translation"]["direction"] == "AtoB" and "styles" not in told
    told = json.loads(run("models", "show", "net_G.pth").out)
    assert told["origin"].startswith("junyanz U-Net, 5 halvings, width 3, batch norm, 3 to 3 channels")


def test_a_translator_of_another_tool_is_added_and_converted(run):
    assert run("models", "add", "net_G.pth", "--name", "dogs").code == 0
    assert library.read_generator(library.locate_generator("dogs")).network.config.dropout == ()  # as there
    done = run("models", "convert", "net_G.pth", "-o", "ours.safetensors")
    assert done.code == 0 and "Wrote ours.safetensors, from junyanz U-Net, 5 halvings" in done.err


@pytest.mark.parametrize("statistics", ["picture", "stored"])
def test_a_translator_is_exported_and_the_parity_told(run, statistics):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    done = run("models", "export", "cats", "cats.onnx", "--statistics", statistics)
    assert done.code == 0 and Path("cats.onnx").exists()
    assert all(size in done.out.decode() for size in ("16 x 16", "70 x 53", "99 x 127"))


def test_an_export_has_the_margin_and_says_what_a_program_must_add(run, monkeypatch):
    """But for the grain its pictures are those of the command."""
    onnxruntime = pytest.importorskip("onnxruntime")
    made, tints = architecture(width=2, halvings=3, grain=0.25), [(1.0, 1.0, 1.0)] * 2
    network = build(made)
    initialize(network, 1)
    about = Translation(direction="AtoB", batch=1, dropout=False, margin=8, tints=tints)
    card = Card("translate", described(made), (), "MIT", about.information)
    library.write(library.folder() / "grainy.safetensors", Model(network, card))
    done = run("models", "export", "grainy", "grainy.onnx")
    assert done.code == 0 and "gray noise of strength 0.25" in done.err and "2 tints" in done.err
    assert "not in the file" not in run("models", "export", "cats", "cats.onnx").err
    labels = {"wall": "#0000ff", "door": "#00aaff"}
    about = Translation(direction="AtoB", batch=1, dropout=False, labels=labels)
    card = Card("translate", described(made), (), "MIT", about.information)
    library.write(library.folder() / "houses.safetensors", Model(network, card))
    shown = json.loads(run("models", "show", "houses").out)["information"]["translation"]["labels"]
    assert list(shown.items()) == list(labels.items())
    done = run("models", "export", "houses", "houses.onnx")
    assert "pure colors of labels, with none between two: wall #0000ff, door #00aaff" in " ".join(
        done.err.split()
    )
    monkeypatch.setattr(conditions, "grain", lambda size, *seed: np.zeros(size, np.float32))
    sheet = np.random.default_rng(0).integers(0, 256, (24, 40), np.uint8)
    Image.fromarray(sheet).save("sheet.png")
    words = ("--checkpoint", "grainy", "--precision", "float32", "-o", "ours.png")
    assert run("translate", "sheet.png", *words).code == 0
    image = np.broadcast_to(sheet.astype(np.float32) / 255, (1, 3, 24, 40)).copy()
    session = onnxruntime.InferenceSession("grainy.onnx", providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"image": image})
    ours = np.asarray(Image.open("ours.png")).transpose(2, 0, 1) / 255
    assert abs(theirs[0] - ours).max() < 2 / 255


@pytest.mark.parametrize(
    "words, says",
    [
        (
            ("fast", "photo.png", "--model", "cats"),
            "not a style network: styler translate --checkpoint cats",
        ),
        (
            ("fast", "photo.png", "--model", "net_G.pth"),
            "is a translator, not a style network: styler translate --checkpoint net_G.pth takes it",
        ),
        (("models", "export", "cats", "a.onnx", "--style", "ink"), "has no styles: leave out --style"),
        (("models", "export", "ink", "a.onnx", "--statistics", "stored"), "leave out --statistics"),
        (("models", "show", "cat"), "did you mean cats?"),
        (("models", "export", "large", "a.onnx", "--style", "ink"), "has no styles: leave out --style"),
        (("models", "export", "large", "a.onnx", "--statistics", "stored"), "leave out --statistics"),
        (("models", "export", "ink", "a.onnx", "--detail", "1"), "Error: ink.safetensors does not enlarge:"),
        (("fast", "photo.png", "--style", "cats"), "a translator for styler translate --checkpoint cats"),
        (
            ("fast", "photo.png", "--style", "large"),
            "a network that enlarges for styler enlarge --model larg",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(run, words, says):
    done = run(*words)
    assert done.code == 1 and says in done.err.replace("\n", " ")
