"""Trained networks by name: which there are, where they lie, and other tools' among them."""

import hashlib

import pytest
import torch
from theirs import save_johnson, save_unet
from trained import INK, WAVES, model, texture, translator

from styler.errors import CheckpointError, InputError, OutputError, WeightsError
from styler.networks.enlarge import EnlargeArchitecture, EnlargeNetwork
from styler.networks.kinds import described
from styler.networks.layers import Mode
from styler.networks.vgg import random_convolutions
from styler.storage.cards import Card, Style
from styler.storage.models import convert, enlargers, find, library, vgg
from styler.storage.models.library import Model


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder in place of the bundled models'."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(find, "_bundled", lambda: folder)
    return folder


def test_another_tool_s_file_is_a_model_named_as_the_file(tmp_path):
    network = save_johnson(tmp_path / "Starry Night_2.pth")
    found = library.read(tmp_path / "Starry Night_2.pth")
    assert found.origin == found.card.information["origin"] == "pytorch/examples layout, width 4, RGB 0..255"
    assert [style.name for style in found.card.styles] == ["starry-night-2"]
    assert found.card.sha256 == hashlib.sha256((tmp_path / "Starry Night_2.pth").read_bytes()).hexdigest()
    image = torch.rand(1, 3, 20, 20)
    with torch.no_grad():
        theirs, mine = network(255 * image) / 255, found.network(image, Mode(mix=torch.ones(1, 1)))
    assert (theirs - mine).abs().max() < 1e-4 * mine.abs().max()


# Where they are


@pytest.mark.parametrize(
    "platform, variables, told",
    [
        ("linux", {}, "me/.local/share/styler/models"),
        ("linux", {"XDG_DATA_HOME": "/data"}, "/data/styler/models"),
        ("linux", {"XDG_DATA_HOME": "data"}, "me/.local/share/styler/models"),
        ("darwin", {}, "me/Library/Application Support/styler/models"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/styler/models"),
        ("win32", {"STYLER_HOME": "/home"}, "/home/models"),
    ],
)
def test_the_folder_is_the_platform_s_place_for_data(monkeypatch, platform, variables, told):
    for name in ("STYLER_HOME", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/me", **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.platform", platform)
    assert library.folder().as_posix().endswith(told)


def test_installed_are_the_bundled_and_the_user_s_and_damaged_ones_say_why(shelf):
    assert library.installed() == []
    library.write(shelf / "inks.safetensors", model())
    library.folder().mkdir(parents=True)
    library.write(library.folder() / "mine.safetensors", model(Style("b")))
    (library.folder() / "bad.safetensors").write_bytes(b"nonsense")
    found = {entry.name: entry for entry in library.installed()}
    assert list(found) == ["inks", "bad", "mine"]
    assert [entry.bundled for entry in found.values()] == [True, False, False]
    assert found["inks"].card == library.read_card(shelf / "inks.safetensors")
    assert found["bad"].card is None and "bad.safetensors" in found["bad"].problem


def test_feature_networks_are_no_models_and_models_no_weights(shelf):
    library.write(shelf / "inks.safetensors", model())
    vgg.write(shelf / "vgg.safetensors", "vgg19", random_convolutions("vgg19", (1, 1, 1, 1, 1)))
    assert [entry.name for entry in library.installed()] == ["inks"]
    assert library.locate("", "") == shelf / "inks.safetensors"
    kept = vgg.folder() / "vgg19.safetensors"
    kept.parent.mkdir(parents=True)
    library.write(kept, model())
    assert vgg.verify("vgg19") == "damaged" and "has no features" in vgg.describe("vgg19")
    with pytest.raises(WeightsError, match="has no features"):
        vgg.load("vgg19")
    assert kept.exists()  # it is somebody's work, not damaged


def test_a_model_is_found_by_the_headers_alone(shelf, monkeypatch):
    """No network is built, and what follows a header is not looked at."""
    for name, styles in {"a": (INK, WAVES), "b": (Style("dots"),)}.items():
        library.write(shelf / f"{name}.safetensors", model(*styles))
    library.write(shelf / "c.safetensors", translator())
    for path in shelf.iterdir():
        path.write_bytes(path.read_bytes()[:-9] + b"\0" * 9)
    monkeypatch.delattr("styler.networks.kinds.empty")
    assert library.locate("", "dots") == library.locate("b", "") == shelf / "b.safetensors"
    assert library.locate_generator("") == library.locate_generator("c") == shelf / "c.safetensors"
    for path in shelf.iterdir():
        path.write_bytes(b"")
    assert library.locate("b", "") == shelf / "b.safetensors"  # of a name not even the header


def test_a_damaged_model_does_not_hide_another_with_its_style(shelf):
    for name in "ab":
        library.write(shelf / f"{name}.safetensors", model(INK))
    (shelf / "a.safetensors").write_bytes((shelf / "a.safetensors").read_bytes()[:-1] + b"!")
    assert library.locate("", "ink") == shelf / "b.safetensors"


def test_models_are_found_by_name_file_or_style(shelf, tmp_path):
    for name, styles in {"a": (INK, WAVES), "b": (Style("dots"),), "c": (INK,)}.items():
        library.write(shelf / f"{name}.safetensors", model(*styles))
    place = {name: shelf / f"{name}.safetensors" for name in "abc"}
    assert library.locate("a", "ink") == library.locate("a", "") == place["a"]
    assert library.locate("", "big-waves") == library.locate("", "ink:0.6,big-waves:0.4") == place["a"]
    assert library.locate("", "dots") == place["b"]
    assert library.locate(str(tmp_path / "x.pth"), "") == tmp_path / "x.pth"
    for wanted, told in {
        ("", ""): "there are several styles: choose with --style from big-waves, dots, ink",
        ("", "ink"): "several networks have style ink: choose with --model one of a, c",
        ("", "big-wave"): "no installed network has style 'big-wave'; did you mean big-waves?",
        ("", "dots,ink"): "no one network has all of dots, ink",
        ("bb", ""): "no model is called 'bb'; did you mean b?",
        ("none", ""): "no model is called 'none'; there are a, b, c",
    }.items():
        with pytest.raises(CheckpointError, match=told.replace("?", r"\?")):
            library.locate(*wanted)


def test_translators_are_found_by_name_or_file_or_if_there_is_but_one(shelf):
    with pytest.raises(CheckpointError, match="no translator is installed: styler train-translate"):
        library.locate_generator("")
    library.write(shelf / "edges.safetensors", model())
    library.write(shelf / "edges2cat.safetensors", translator())
    assert (
        library.locate_generator("")
        == library.locate_generator("edges2cat")
        == shelf / "edges2cat.safetensors"
    )
    assert library.locate_generator("x/y.pth").name == "y.pth"
    with pytest.raises(CheckpointError, match=r"no model is called 'edges2car'; did you mean edges2cat\?"):
        library.locate_generator("edges2car")
    library.write(shelf / "wash.safetensors", translator())
    with pytest.raises(
        CheckpointError, match="several translators: choose with --checkpoint one of edges2cat, wash"
    ):
        library.locate_generator("")
    assert library.locate("", "") == shelf / "edges.safetensors"  # no translator takes a style's place


def test_a_network_of_another_kind_says_what_it_is_and_which_command_takes_it(tmp_path, shelf):
    """Every kind given to every reader: a file by its path, one that is installed by its name."""
    config = EnlargeArchitecture(width=4, blocks=0)
    kinds = {
        "photo": (model(), "a style network", "fast --model"),
        "noise": (texture(), "a network that makes textures", "fast --model"),
        "pair": (translator(), "a translator", "translate --checkpoint"),
        "small": (
            Model(EnlargeNetwork(config), Card("enlarge", described(config))),
            "a network that enlarges",
            "enlarge --model",
        ),
    }
    readers = {"photo": library.read_transform, "pair": library.read_generator, "small": enlargers.read}
    for takes, (one, kind, command) in kinds.items():
        for folder in (tmp_path, shelf):
            path = folder / f"{takes}.safetensors"
            library.write(path, one)
            name = takes if folder == shelf else str(path)
            for wanted, reader in readers.items():
                if wanted == takes:
                    reader(path)
                    continue
                with pytest.raises(CheckpointError) as caught:
                    reader(path)
                text = (
                    f"{takes}.safetensors is {kind}, not {kinds[wanted][1]}: styler {command} {name} takes it"
                )
                assert str(caught.value) == text


def test_without_any_model_it_says_how_to_get_one(shelf):
    library.write(shelf / "t.safetensors", texture())  # paints no photos
    with pytest.raises(CheckpointError, match="styler train-fast"):
        library.locate("", "")


def test_models_are_added_ours_as_they_are_and_others_converted(shelf, tmp_path):
    ours = model(INK)
    library.write(tmp_path / "x.safetensors", ours)
    save_johnson(tmp_path / "y.pth")
    assert (
        library.add(tmp_path / "x.safetensors", "one").read_bytes()
        == (tmp_path / "x.safetensors").read_bytes()
    )
    added = library.add(tmp_path / "y.pth", "two")
    assert added == library.folder() / "two.safetensors" == library.locate("two", "")
    assert library.read_card(added).information["origin"].startswith("pytorch/examples")
    theirs = library.read(tmp_path / "y.pth").network.state_dict()
    assert all(
        torch.equal(value, theirs[key]) for key, value in library.read(added).network.state_dict().items()
    )


def test_names_that_are_taken_or_strange_are_refused(shelf, tmp_path):
    library.write(tmp_path / "x.safetensors", model())
    library.write(shelf / "inks.safetensors", model())
    library.add(tmp_path / "x.safetensors", "one")
    for name, kind, told in (
        ("one", OutputError, "exists already"),
        ("inks", OutputError, "came with styler"),
        ("../One", InputError, "written like one"),
    ):
        with pytest.raises(kind, match=told):
            library.add(tmp_path / "x.safetensors", name)
    library.add(tmp_path / "x.safetensors", "one", overwrite=True)


@pytest.mark.parametrize("make", [model, texture, translator])
def test_a_model_of_ours_is_converted_byte_by_byte(tmp_path, make):
    library.write(tmp_path / "ours.safetensors", make())
    assert convert.convert(tmp_path / "ours.safetensors", tmp_path / "copy.safetensors") == ""
    assert (tmp_path / "copy.safetensors").read_bytes() == (tmp_path / "ours.safetensors").read_bytes()


@pytest.mark.parametrize("save, told", [(save_johnson, "pytorch/examples"), (save_unet, "junyanz U-Net")])
def test_a_model_of_another_tool_is_converted_without_loss(tmp_path, save, told):
    save(tmp_path / "theirs.pth")
    found = convert.convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors")
    first, last = (library.read(tmp_path / name) for name in ("theirs.pth", "ours.safetensors"))
    assert found.startswith(told) and found == last.card.information["origin"] and last.origin == ""
    ours = last.network.state_dict()
    assert all(torch.equal(value, ours[key]) for key, value in first.network.state_dict().items())


@pytest.mark.parametrize(
    "output, told",
    [
        ("new.pth", r"new\.pth does not end in \.safetensors: other tools' formats are read and not written"),
        ("new.onnx", "styler models export writes .onnx"),
        ("ours.safetensors", "also an input"),
        ("there.safetensors", "exists already"),
    ],
)
def test_conversions_that_make_no_sense_are_refused(tmp_path, output, told):
    library.write(tmp_path / "ours.safetensors", model())
    (tmp_path / "there.safetensors").touch()
    with pytest.raises(OutputError, match=told):
        convert.convert(tmp_path / "ours.safetensors", tmp_path / output)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_texture_network_paints_no_photos(tmp_path):
    library.write(tmp_path / "t.safetensors", texture())
    with pytest.raises(CheckpointError, match="makes textures"):
        library.read_transform(tmp_path / "t.safetensors")


# Blends


@pytest.mark.parametrize(
    "style, weights",
    [
        ("ink", [1, 0]),
        ("ink:0.6,big-waves:0.4", [0.6, 0.4]),
        ("big-waves:3, ink", [0.25, 0.75]),
        ("ink:0,big-waves:0.1", [0, 1]),
    ],
)
def test_blends_sum_to_one(style, weights):
    found = library.mix(model().card, style)
    assert found.dtype == torch.float32 and torch.allclose(
        found, torch.tensor([weights], dtype=torch.float32)
    )


def test_the_only_style_needs_no_name():
    assert torch.equal(library.mix(model(INK).card, ""), torch.ones(1, 1))


@pytest.mark.parametrize(
    "style, told",
    [
        ("", "choose with --style from ink, big-waves"),
        ("inc", "no style 'inc'; did you mean ink"),
        ("zzz", "no style 'zzz'; there are big-waves, ink"),
        ("ink:x", "'ink:x' is no style with a weight"),
        ("ink,ink", "style ink is given twice"),
        ("ink:-1", "'ink:-1' is no style"),
        ("ink:nan", "'ink:nan' is no style"),
        ("ink:inf", "'ink:inf' is no style"),
        ("ink,", "'' is no style"),
        ("ink:0", "sum to nothing"),
        ("ink:1e308,big-waves:1e308", "sum to nothing"),
    ],
)
def test_blends_that_are_not_clear_are_refused(style, told):
    with pytest.raises(InputError, match=told):
        library.mix(model().card, style)


@pytest.mark.parametrize("name", ["enlarge-x4", "enlarge-x2", "enlarge-x4-detail", "enlarge-x2-detail"])
def test_cards_of_the_networks_that_enlarge_have_their_own_scores(name: str) -> None:
    """Beside bicubic's, of photos kept out of the training; those of detail are of the mixed files."""
    bundled = find._bundled()
    assert bundled is not None
    scores = library.read_card(bundled / f"{name}.safetensors").information["validation"]
    for kind in ("clean", "damaged"):
        ours, bicubic = scores[kind], scores[f"bicubic {kind}"]
        assert ours["psnr"] > bicubic["psnr"] + 0.5 and ours["perceptual"] < 0.95 * bicubic["perceptual"]
