"""Models: everything comes back, every lie and flipped bit is noticed, and names find what they mean."""

import dataclasses
import hashlib
import json

import pytest
import safetensors.torch
import torch
from theirs import save_johnson, save_unet

from styler.errors import CheckpointError, InputError, OutputError, WeightsError
from styler.networks import pix2pix
from styler.networks.pix2pix import GeneratorArchitecture
from styler.networks.texture import TextureArchitecture, TextureNetwork
from styler.networks.transform import Architecture, TransformNetwork
from styler.networks.vgg import random_convolutions
from styler.storage.models import convert, library, slim
from styler.storage.models.library import Card, Model, Style
from styler.storage.translation import Translation

INK, WAVES = Style("ink"), Style("big-waves", "The Great Wave", "Hokusai", "public domain", "https://x.org")


def model(*styles, width=2, licence="MIT", thumbnails=True):
    """A network with random values; fully described."""
    styles = styles or (INK, WAVES)
    network = TransformNetwork(Architecture(width, len(styles)))
    return filled(network, Card("transform", dataclasses.asdict(network.made), styles, licence), thumbnails)


def translator(**changes):
    made = GeneratorArchitecture(**{"width": 2, "halvings": 2, "dropout": (1,), **changes})
    about = Translation(direction="AtoB", batch=4, dropout=True, condition={"name": "edges", "sigma": [1, 2]})
    card = Card("translate", dataclasses.asdict(made), (), "MIT", about.information)
    made = filled(pix2pix.build(made), card, False)
    information = {**made.card.information, **about.information}
    return dataclasses.replace(made, card=dataclasses.replace(made.card, information=information))


def texture():
    network = TextureNetwork(TextureArchitecture(scales=2, channels=2))
    return filled(network, Card("texture", dataclasses.asdict(network.made), (INK,), "MIT"), False)


def filled(network, card, thumbnails):
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=draw).half())
    size = (len(card.styles), 3, 5, 7)
    pictures = torch.randint(256, size, dtype=torch.uint8, generator=draw) if thumbnails else None
    return Model(network, dataclasses.replace(card, information={"steps": 7, "losses": [0.5]}), pictures)


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """An empty folder in place of the bundled models'."""
    folder = tmp_path / "bundled"
    folder.mkdir()
    monkeypatch.setattr(library, "_bundled", lambda: folder)
    return folder


# Files


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("make", [model, texture, translator])
def test_a_model_comes_back(tmp_path, make, dtype):
    written, path = make(), tmp_path / "mine.safetensors"
    library.write(path, written, dtype)
    found = library.read(path)
    network = dict(found.card.network)
    if "dropout" in network:  # JSON has no tuples
        network["dropout"] = tuple(network["dropout"])
        assert library.read_generator(path).about.condition == {"name": "edges", "sigma": [1, 2]}
    assert type(found.network) is type(written.network) and found.network.made == written.network.made
    for key, value in written.network.state_dict().items():
        back = found.network.state_dict()[key]
        assert back.dtype == torch.float32 and torch.equal(back, value.to(dtype).float())
    assert dataclasses.replace(found.card, sha256="", network=network) == written.card
    assert library.read_card(path) == found.card and found.found == ""
    if written.thumbnails is None:
        assert found.thumbnails is None
    else:
        assert torch.equal(found.thumbnails, written.thumbnails)


def test_what_can_be_trained_can_be_trained_again(tmp_path):
    library.write(tmp_path / "mine.safetensors", model())
    found = library.read(tmp_path / "mine.safetensors").network
    fresh = TransformNetwork(found.made)
    asked = {name: parameter.requires_grad for name, parameter in fresh.named_parameters()}
    assert asked == {name: parameter.requires_grad for name, parameter in found.named_parameters()}


def test_equal_models_are_equal_bytes_and_the_seal_is_the_file_s(tmp_path):
    for name in "ab":
        library.write(tmp_path / name, model())
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    seal = library.read_card(tmp_path / "a").sha256
    assert hashlib.sha256(data.replace(seal.encode(), b"0" * 64)).hexdigest() == seal


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path):
    path = tmp_path / "mine.safetensors"
    library.write(path, model(width=1, thumbnails=False))
    whole = path.read_bytes()
    for position in range(0, len(whole), 211):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="mine") as refusal:
            library.read(path)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("size", [0, 5, 100, 3000, -1])
def test_a_cut_model_is_refused(tmp_path, size):
    path = tmp_path / "mine.safetensors"
    library.write(path, model())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="mine"):
        library.read(path)


def resealed(path, **changes):
    """Rewrite a model's description, with a right hash over the wrong words; `tensors` changes those."""
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["styler"])
    changes.pop("tensors", lambda _: None)(tensors)
    about.update({"sha256": "0" * 64, **changes})
    data = safetensors.torch.save(tensors, {"styler": json.dumps(about)})
    path.write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1))


def architecture(**changes):
    return {**dataclasses.asdict(Architecture(2, 2)), **changes}


def extra(tensors):
    tensors["more"] = torch.ones(1)


def fewer(tensors):
    del tensors["last.bias"]


def shorter(tensors):
    tensors["last.bias"] = torch.ones(2)


def integers(tensors):
    tensors["last.bias"] = torch.ones(3, dtype=torch.uint8)


def nan(tensors):
    tensors["last.bias"] = torch.full((3,), torch.nan)


def one_picture(tensors):
    tensors["thumbnails"] = tensors["thumbnails"][:1].clone()


def large_pictures(tensors):
    tensors["thumbnails"] = torch.zeros(2, 3, 600, 4, dtype=torch.uint8)


LIES = [
    ({"format": 2}, "reads up to 1: pip install --upgrade styler"),
    ({"kind": "pix2pix"}, "kind is 'pix2pix'"),
    ({"kind": "translate"}, "damaged"),
    ({"kind": "texture"}, "damaged"),
    ({"network": architecture(width=4)}, "does not fit"),
    ({"network": architecture(width=1 << 40)}, "width is 1099511627776"),
    ({"network": architecture(width=-1)}, "width is -1"),
    ({"network": architecture(width=True)}, "width is True"),
    ({"network": architecture(eps="x")}, "eps is 'x'"),
    ({"network": architecture(upsampling="cubic")}, "upsampling is 'cubic'"),
    ({"network": architecture(depth=3)}, "depth"),
    ({"network": None}, "damaged"),
    ({"styles": [{"name": "ink"}]}, "2 styles, named ink"),
    ({"styles": [{"name": "ink"}] * 2}, "2 styles, named ink, ink"),
    ({"styles": [{"name": "ink"}, {"name": "../x"}]}, "not written like x"),
    ({"styles": [{"name": "ink"}, {"name": "b", "title": 3}]}, "no text"),
    ({"styles": [{"name": "ink"}, {"name": "b\n\x1b[2J"}]}, r"b\\n\\x1b\[2J"),
    ({"styles": 5}, "damaged"),
    ({"licence": None}, "no text"),
    ({"information": 3}, "damaged"),
    ({"tensors": extra}, "more does not fit"),
    ({"tensors": fewer}, "last.bias does not fit"),
    ({"tensors": shorter}, "last.bias does not fit"),
    ({"tensors": integers}, "last.bias is of type U8"),
    ({"tensors": nan}, "values of last.bias are not finite"),
    ({"tensors": one_picture}, "thumbnails are U8"),
    ({"tensors": large_pictures}, "thumbnails are U8"),
]


@pytest.mark.parametrize("changes, told", LIES, ids=[told for _, told in LIES])
def test_a_model_with_a_strange_description_is_refused(tmp_path, changes, told):
    path = tmp_path / "mine.safetensors"
    library.write(path, model())
    resealed(path, **changes)
    with pytest.raises(CheckpointError, match=told) as refusal:
        library.read(path)
    assert "mine.safetensors" in str(refusal.value) and "\n" not in str(refusal.value)


def generator(**changes):
    return {**dataclasses.asdict(GeneratorArchitecture(width=2, halvings=2, dropout=(1,))), **changes}


def translation(**changes):
    return {"translation": {**Translation().information["translation"], **changes}}


FALSE = [
    ({"network": generator(kind="transformer")}, "kind is 'transformer'"),
    ({"network": generator(norm="layer")}, "norm is 'layer'"),
    ({"network": generator(last="first")}, "last is 'first'"),
    ({"network": generator(halvings=0)}, "halvings is 0"),
    ({"network": generator(halvings=60)}, "halvings is 60"),
    ({"network": generator(kind="residual", blocks=1 << 40)}, "blocks is 1099511627776"),
    ({"network": generator(inputs=10**9)}, "inputs is 1000000000"),
    ({"network": generator(slope=2.0)}, "slope is 2.0"),
    ({"network": generator(slope=0)}, "slope is 0"),
    ({"network": generator(bias=1)}, "bias is 1"),
    ({"network": generator(dropout=3)}, "dropout is 3"),
    ({"network": generator(dropout=[1, 1])}, r"dropout is \(1, 1\)"),
    ({"network": generator(dropout=[0])}, r"dropout is \(0,\)"),
    ({"network": generator(dropout=["1"])}, r"dropout is \('1',\)"),
    ({"network": generator(dropout=[[1]])}, "dropout is"),
    ({"network": generator(upsampling="resize")}, "does not fit"),
    ({"network": generator(depth=3)}, "depth"),
    ({"kind": "transform"}, "damaged"),
    ({"styles": [{"name": "ink"}]}, "it has 0 styles, named ink"),
    ({"information": {}}, "damaged .*translation"),
    ({"information": {"translation": 3}}, "damaged"),
    ({"information": translation(direction="BtoB")}, "its direction is 'BtoB'"),
    ({"information": translation(batch=-1)}, "its batch is -1"),
    ({"information": translation(condition="edges")}, "its condition is 'edges'"),
    ({"information": translation(odd=1)}, "odd"),
]


@pytest.mark.parametrize("changes, told", FALSE, ids=[told for _, told in FALSE])
def test_a_translator_with_a_strange_description_is_refused(tmp_path, changes, told):
    path = tmp_path / "mine.safetensors"
    library.write(path, translator())
    resealed(path, **changes)
    with pytest.raises(CheckpointError, match=told) as refusal:
        library.read_generator(path)
    assert "mine.safetensors" in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_header_that_claims_much_costs_nothing(tmp_path):
    """A description of the widest network, with entries to match and no data: told by the file's size."""
    made = Architecture(512, 1)
    with torch.device("meta"):
        state = TransformNetwork(made).state_dict()
    about = {"format": 1, "kind": "transform", "network": dataclasses.asdict(made), "styles": [{"name": "a"}]}
    about |= {"licence": "", "information": {}, "sha256": "0" * 64}
    entries, end = {"__metadata__": {"styler": json.dumps(about)}}, 0
    for key, tensor in state.items():
        start, end = end, end + 4 * tensor.numel()
        entries[key] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    (tmp_path / "wide.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match=r"has \d,\d+ bytes and should have 1,7\d\d,"):
        library.read(tmp_path / "wide.safetensors")


def test_a_header_nested_too_deep_is_damaged(tmp_path):
    header = b'{"styler":' + b"[" * 200_000
    (tmp_path / "deep.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="deep"):
        library.read(tmp_path / "deep.safetensors")


def test_feature_weights_are_no_model(tmp_path):
    slim.write_slim(tmp_path / "vgg.safetensors", "vgg19", random_convolutions("vgg19", (1, 1, 1, 1, 1)))
    with pytest.raises(CheckpointError, match="feature weights"):
        library.read(tmp_path / "vgg.safetensors")


def test_a_model_is_no_feature_weights(tmp_path):
    library.write(tmp_path / "mine.safetensors", model())
    with pytest.raises(WeightsError, match="is a style network"):
        slim.read_slim(tmp_path / "mine.safetensors")


@pytest.mark.parametrize(
    "wrong, told",
    [
        (lambda: model(Style("Ink")), "'Ink' is not written like ink"),
        (lambda: model(INK, INK), "2 styles, named ink, ink"),
        (lambda: dataclasses.replace(model(), card=model(INK).card), "does not fit"),
        (lambda: dataclasses.replace(model(), thumbnails=torch.zeros(1, 3, 4, 4)), "thumbnails are F32"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, wrong, told):
    with pytest.raises(CheckpointError, match=told):
        library.write(tmp_path / "mine.safetensors", wrong())
    assert not list(tmp_path.iterdir())


def test_values_too_large_for_the_number_type_are_not_written(tmp_path):
    made = model()
    with torch.no_grad():
        made.network.last.weight.fill_(1e6)
    with pytest.raises(CheckpointError, match=r"last.weight are not finite"):
        library.write(tmp_path / "mine.safetensors", made)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_without_overwrite(tmp_path):
    (tmp_path / "mine.safetensors").write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        library.write(tmp_path / "mine.safetensors", model(), overwrite=False)
    assert (tmp_path / "mine.safetensors").read_bytes() == b"mine"


def test_another_tool_s_file_is_a_model_named_as_the_file(tmp_path):
    network = save_johnson(tmp_path / "Starry Night_2.pth")
    found = library.read(tmp_path / "Starry Night_2.pth")
    assert found.found == found.card.information["found"] == "pytorch/examples layout, width 4, RGB 0..255"
    assert [style.name for style in found.card.styles] == ["starry-night-2"]
    assert found.card.sha256 == hashlib.sha256((tmp_path / "Starry Night_2.pth").read_bytes()).hexdigest()
    image = torch.rand(1, 3, 20, 20)
    with torch.no_grad():
        theirs, mine = network(255 * image) / 255, found.network(image, torch.ones(1, 1))
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


def test_models_are_found_by_name_file_or_style(shelf, tmp_path):
    for name, styles in {"a": (INK, WAVES), "b": (Style("dots"),), "c": (INK,)}.items():
        library.write(shelf / f"{name}.safetensors", model(*styles))
    place = {name: shelf / f"{name}.safetensors" for name in "abc"}
    assert library.locate("", "") == library.locate("a", "ink") == place["a"]
    assert library.locate("", "big-waves") == library.locate("", "ink:0.6,big-waves:0.4") == place["a"]
    assert library.locate("", "dots") == place["b"]
    assert library.locate(str(tmp_path / "x.pth"), "") == tmp_path / "x.pth"
    for wanted, told in {
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


def test_each_kind_of_network_has_its_own_reader(tmp_path):
    library.write(tmp_path / "style.safetensors", model())
    library.write(tmp_path / "translator.safetensors", translator())
    with pytest.raises(
        CheckpointError, match=r"style\.safetensors is a style network .*: styler fast --model"
    ):
        library.read_generator(tmp_path / "style.safetensors")
    with pytest.raises(CheckpointError, match=r"translator and has no styles: styler translate --checkpoint"):
        library.read_transform(tmp_path / "translator.safetensors")


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
    assert library.read_card(added).information["found"].startswith("pytorch/examples")
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
    assert found.startswith(told) and found == last.card.information["found"] and last.found == ""
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
        ("ink,ink", "'ink' is no style"),
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
