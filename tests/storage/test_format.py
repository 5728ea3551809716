"""The format of trained networks: everything comes back, every lie and every flipped bit is noticed."""

import dataclasses
import hashlib
import json

import pytest
import safetensors.torch
import torch
from narrow import NARROW, same
from nets import architecture
from trained import INK, model, texture, translator

from styler.errors import CheckpointError, OutputError, WeightsError
from styler.networks.kinds import described
from styler.networks.residual import ResidualNetwork
from styler.networks.vgg import CAFFE, VGGArchitecture, random_convolutions
from styler.plans import ResidualArchitecture
from styler.storage import format, header
from styler.storage.cards import Card, Style, Translation
from styler.storage.header import DamagedError
from styler.storage.models import library, vgg

DTYPES = [torch.float16, torch.float32, torch.bfloat16]


def write_vgg(path, layers=4, **options):
    """The first layers of a VGG-19 with one channel each."""
    convolutions = dict(list(random_convolutions("vgg19", (1, 1, 1, 1, 1)).items())[:layers])
    vgg.write(path, "vgg19", convolutions, information={"steps": 7}, **options)


WRITE = {
    "transform": lambda path: library.write(path, model(width=1, thumbnails=False)),
    "texture": lambda path: library.write(path, texture()),
    "translate": lambda path: library.write(path, translator(width=1)),
    "vgg": write_vgg,
}
every_kind = pytest.mark.parametrize("kind", WRITE)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "mine.safetensors"


def refused(path, told="mine"):
    """That a file is refused by all that read it, in one line."""
    for read in (library.read, vgg.read, format.read):
        with pytest.raises((CheckpointError, WeightsError), match=told) as refusal:
            read(path)
        assert "mine.safetensors" in str(refusal.value) and "\n" not in str(refusal.value)


# What comes back


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("make", [model, texture, translator])
def test_a_model_comes_back(path, make, dtype):
    written = make()
    library.write(path, written, dtype)
    back = library.read(path)
    network = dict(back.card.network)
    if back.card.kind == "translate":
        network["dropout"] = tuple(network["dropout"])  # JSON has no tuples
        assert library.read_generator(path).about.condition == {"name": "edges", "sigma": [1, 2]}
    assert type(back.network) is type(written.network) and back.network.config == written.network.config
    for key, value in written.network.state_dict().items():
        tensor = back.network.state_dict()[key]
        assert tensor.dtype == torch.float32 and torch.equal(tensor, value.to(dtype).float())
    information = json.loads(json.dumps(dict(written.card.information)))  # where there are none, either
    wanted = dataclasses.replace(written.card, information=information)
    assert dataclasses.replace(back.card, sha256="", network=network) == wanted
    assert header.read_card(path) == format.prove_card(path) == back.card and back.origin == ""
    if written.thumbnails is None:
        assert back.thumbnails is None and format.read_thumbnails(path) is None
    else:
        assert torch.equal(back.thumbnails, written.thumbnails)
        assert torch.equal(format.read_thumbnails(path), written.thumbnails)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_feature_network_comes_back(path, dtype):
    convolutions = random_convolutions("compact", NARROW)
    vgg.write(path, "compact", convolutions, CAFFE, "replicate", "MIT", {"layers": {"relu1_1": 0.5}}, dtype)
    extractor, card = vgg.read(path), vgg.read_card(path)
    assert same(extractor, convolutions, dtype) and same(vgg.load(str(path)), convolutions, dtype)
    assert (extractor.network, extractor.normalization, extractor.padding) == ("compact", CAFFE, "replicate")
    assert (card.kind, card.licence, card.information) == ("vgg", "MIT", {"layers": {"relu1_1": 0.5}})
    assert VGGArchitecture.of(card.network).layers == tuple(convolutions)


def test_what_can_be_trained_can_be_trained_again(path):
    library.write(path, model())
    network = library.read(path).network
    fresh = ResidualNetwork(network.config)
    asked = {name: parameter.requires_grad for name, parameter in fresh.named_parameters()}
    assert asked == {name: parameter.requires_grad for name, parameter in network.named_parameters()}


@every_kind
def test_equal_networks_are_equal_bytes_and_the_seal_is_the_file_s(tmp_path, kind):
    for name in "ab":
        WRITE[kind](tmp_path / name)
    data = (tmp_path / "a").read_bytes()
    assert data == (tmp_path / "b").read_bytes()
    seal = header.read_card(tmp_path / "a").sha256
    assert hashlib.sha256(data.replace(seal.encode(), b"0" * 64)).hexdigest() == seal


@every_kind
def test_a_file_is_plain_safetensors_with_one_key_of_metadata(path, kind):
    WRITE[kind](path)
    with safetensors.safe_open(path, "pt") as file:
        assert list(file.metadata()) == ["styler"]
        about = json.loads(file.metadata()["styler"])
    assert (about["format"], about["kind"]) == (2, kind) and about["information"]["steps"] == 7
    assert header.is_ours(path)


def test_a_feature_network_of_format_1_opens(path):
    """Its header had no kind, and whatever its writer added stood among the fields."""
    convolutions = random_convolutions("vgg19", (1, 2, 3, 4, 5))
    about = {
        "format": 1,
        "network": "vgg19",
        "padding": "reflect",
        "normalization": dataclasses.asdict(CAFFE),
    }
    about |= {"sha256": "0" * 64, "licence": "MIT", "recognized": True, "training": {"steps": 7}}
    tensors = {}
    for name, (weight, bias) in convolutions.items():
        tensors |= {f"{name}.weight": weight, f"{name}.bias": bias}
    seal(path, tensors, about)
    extractor, card = vgg.read(path), vgg.read_card(path)
    assert same(extractor, convolutions) and extractor.padding == "reflect"
    assert extractor.normalization == CAFFE
    assert card.licence == "MIT" and card.information == {"recognized": True, "training": {"steps": 7}}
    refused_as_a_model(path)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    refused(path)


def first_format(kind, fields, tensors):
    """The fields and the tensors of a network as format 1 had them."""
    fields, architecture = dict(fields), fields["architecture"]
    del fields["architecture"]
    if kind != "translate":
        tensors = {key.replace("last.conv.", "last."): tensor for key, tensor in tensors.items()}
    if kind == "transform":
        biases = {
            key.replace("norm", "conv"): t[0].clone()
            for key, t in tensors.items()
            if key.endswith("norm.bias")
        }
        tensors = {key.replace("blocks.", "residual."): t for key, t in {**tensors, **biases}.items()}
        upsampling = {"resize": "nearest", "transposed": "transpose"}[fields["upsampling"]]
        common = {key: fields[key] for key in ("width", "styles", "eps")}
        return {**common, "upsampling": upsampling}, tensors
    if architecture == "unet":
        form = "unet" if fields.pop("skips") else "encoder-decoder"
        return {"kind": form, "blocks": 9, **fields}, tensors
    if architecture == "residual":
        shared = ("inputs", "outputs", "width", "halvings", "blocks", "norm", "upsampling")
        unused = {"bias": False, "bottleneck_norm": False, "slope": 0.0, "last": "same"}
        dropout = [1] if fields["dropout"] else []
        fields = {"kind": "residual", **{key: fields[key] for key in shared}, "dropout": dropout, **unused}
        tensors = {key.replace("blocks.", "residual."): tensor for key, tensor in tensors.items()}
        names = {"down.0.": "first.", "down.1.": "down.0.", "down.2.": "down.1."}
        tensors = {names.get(key[:7], key[:7]) + key[7:]: tensor for key, tensor in tensors.items()}
    return fields, tensors


OLD = {
    "johnson": model,
    "texture": texture,
    "unet": lambda: translator(dropout=[1]),
    "encoder-decoder": lambda: translator(kind="encoder-decoder", dropout=[1]),
    "residual": lambda: translator(kind="residual", dropout=True, blocks=1),
    "residual without dropout": lambda: translator(kind="residual", dropout=False, blocks=1),
}


@pytest.mark.parametrize("kind", OLD)
def test_a_trained_network_of_format_1_opens(path, kind):
    library.write(path, OLD[kind](), torch.float32)
    first = library.read(path)
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["styler"])
    thumbnails = {} if first.thumbnails is None else {"thumbnails": first.thumbnails}
    fields, tensors = first_format(first.card.kind, first.card.network, first.network.state_dict())
    seal(path, {**tensors, **thumbnails}, {**about, "format": 1, "network": fields, "sha256": "0" * 64})
    last = library.read(path)
    assert dataclasses.replace(first.card, sha256=last.card.sha256) == last.card
    assert last.network.config == first.network.config
    weights = last.network.state_dict()
    assert weights.keys() == first.network.state_dict().keys()
    assert all(torch.equal(value, weights[key]) for key, value in first.network.state_dict().items())


def test_a_trained_network_of_format_1_with_a_strange_description_is_refused(path):
    for kind, fields in (
        ("translate", {"kind": "transformer", "blocks": 1}),
        ("transform", {"upsampling": "cubic"}),
        ("transform", {"width": 2}),
        ("texture", 3),
        ("pix2pix", {}),
    ):
        about = {"format": 1, "kind": kind, "network": fields, "styles": [], "licence": "", "information": {}}
        seal(path, {"last.bias": torch.ones(3)}, {**about, "sha256": "0" * 64})
        refused(path, "damaged|not one of")


# Damage


@every_kind
def test_a_flipped_bit_is_noticed_wherever_it_is(path, kind):
    WRITE[kind](path)
    whole = path.read_bytes()
    step = 1 + len(whole) // 150
    for position in range(0, len(whole), step):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        refused(path)


@every_kind
@pytest.mark.parametrize("size", [0, 5, 100, 900, -1])
def test_a_cut_file_is_refused(path, kind, size):
    WRITE[kind](path)
    path.write_bytes(path.read_bytes()[:size])
    refused(path)


@every_kind
def test_a_file_with_more_at_its_end_is_refused(path, kind):
    WRITE[kind](path)
    path.write_bytes(path.read_bytes() + b"0")
    refused(path, r"has [\d,]+ bytes and should have")


def seal(path, tensors, about):
    data = safetensors.torch.save(tensors, {"styler": json.dumps(about)})
    path.write_bytes(data.replace(b"0" * 64, hashlib.sha256(data).hexdigest().encode(), 1))


def resealed(path, **changes):
    """Rewrite a file's description, with a right hash over the wrong words; `tensors` changes those."""
    tensors = safetensors.torch.load_file(path)
    with safetensors.safe_open(path, "pt") as file:
        about = json.loads(file.metadata()["styler"])
    changes.pop("tensors", lambda _: None)(tensors)
    seal(path, tensors, {**about, "sha256": "0" * 64, **changes})


def residual(**changes):
    return {**described(ResidualArchitecture(width=2, styles=2)), **changes}


def extra(tensors):
    tensors["more"] = torch.ones(1)


def fewer(tensors):
    del tensors["last.conv.bias"]


def shorter(tensors):
    tensors["last.conv.bias"] = torch.ones(2)


def integers(tensors):
    tensors["last.conv.bias"] = torch.ones(3, dtype=torch.uint8)


def nan(tensors):
    tensors["last.conv.bias"] = torch.full((3,), torch.nan)


def one_picture(tensors):
    tensors["thumbnails"] = tensors["thumbnails"][:1].clone()


def large_pictures(tensors):
    tensors["thumbnails"] = torch.zeros(2, 3, 600, 4, dtype=torch.uint8)


TRANSFORM = [
    ({"format": 3}, "reads up to 2: get a newer one"),
    ({"kind": "pix2pix"}, "kind is 'pix2pix'"),
    ({"kind": "translate"}, "damaged"),
    ({"kind": "texture"}, "damaged"),
    ({"network": residual(width=4)}, "does not fit"),
    ({"network": residual(width=1 << 40)}, "width is 1099511627776"),
    ({"network": residual(width=-1)}, "width is -1"),
    ({"network": residual(width=True)}, "width is True"),
    ({"network": residual(eps="x")}, "eps is 'x'"),
    ({"network": residual(upsampling="cubic")}, "upsampling is 'cubic'"),
    ({"network": residual(depth=3)}, "depth"),
    ({"network": residual(kernel=8)}, "kernel is 8"),
    ({"network": residual(kernel=9.0)}, "kernel is 9.0"),
    ({"network": None}, "damaged"),
    ({"styles": [{"name": "ink"}]}, "2 styles, named ink"),
    ({"styles": [{"name": "ink"}] * 2}, "2 styles, named ink, ink"),
    ({"styles": [{"name": "ink"}, {"name": "../x"}]}, "not written like x"),
    ({"styles": [{"name": "ink"}, {"name": "b", "title": 3}]}, "no text"),
    ({"styles": [{"name": "ink"}, {"name": "b\n\x1b[2J"}]}, r"b\\n\\x1b\[2J"),
    ({"styles": 5}, "damaged"),
    ({"licence": None}, "no text"),
    ({"format": None}, "damaged"),
    ({"information": 3}, "damaged"),
    ({"tensors": extra}, "more does not fit"),
    ({"tensors": fewer}, "last.conv.bias does not fit"),
    ({"tensors": shorter}, "last.conv.bias does not fit"),
    ({"tensors": integers}, "last.conv.bias is of type U8"),
    ({"tensors": nan}, "values of last.conv.bias are not finite"),
    ({"tensors": one_picture}, "thumbnails are U8"),
    ({"tensors": large_pictures}, "thumbnails are U8"),
]


def generator(**changes):
    return {**described(architecture(width=2, halvings=2, dropout=(1,))), **changes}


def translation(**changes):
    return {"translation": {**Translation().information["translation"], **changes}}


TRANSLATE = [
    ({"network": generator(architecture="transformer")}, "architecture is 'transformer'"),
    ({"network": generator(architecture="texture")}, "architecture is 'texture', and not unet or residual"),
    ({"network": {"width": 2}}, "architecture"),
    ({"network": residual(styles=2)}, "styles is 2"),
    ({"network": generator(skips=1)}, "skips is 1"),
    ({"network": generator(norm="layer")}, "norm is 'layer'"),
    ({"network": generator(last="first")}, "last is 'first'"),
    ({"network": generator(halvings=0)}, "halvings is 0"),
    ({"network": generator(halvings=60)}, "halvings is 60"),
    ({"network": residual(blocks=1 << 40)}, "blocks is 1099511627776"),
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


def feature(**changes):
    fields = VGGArchitecture("vgg19", (1, 1, 1, 1))
    return {**dataclasses.asdict(fields), **changes}


def normalization(**changes):
    return {"mean": [0, 0, 0], "std": [1, 1, 1], "order": "rgb", **changes}


def wide(tensors):
    tensors["conv1_1.weight"] = torch.ones(1, 4, 3, 3)


def unnamed(tensors):
    tensors["fc6.weight"] = torch.ones(1)


VGG = [
    ({"network": feature(body="alexnet")}, "'alexnet'"),
    ({"network": feature(body="vgg16", widths=[1] * 13)}, "does not fit"),
    ({"network": feature(padding="circular")}, "'circular'"),
    ({"network": feature(widths=[1, 1, 1])}, "conv2_2.bias does not fit"),
    ({"network": feature(widths=[])}, r"widths \[\]"),
    ({"network": feature(widths=[1, 1, 1, 1 << 40])}, "widths"),
    ({"network": feature(widths=[1, 1, 1, True])}, "widths"),
    ({"network": feature(widths=[1] * 99)}, "widths"),
    ({"network": feature(normalization=normalization(mean=[0, 0]))}, "mean"),
    ({"network": feature(normalization=normalization(std=[1, 0, 1]))}, "std"),
    ({"network": feature(normalization=normalization(mean=[float("nan"), 0, 0]))}, "mean"),
    ({"network": feature(normalization=normalization(order="gbr"))}, "gbr"),
    ({"network": feature(normalization="none")}, "damaged"),
    ({"styles": [{"name": "ink"}]}, "it has 0 styles, named ink"),
    ({"tensors": wide}, "conv1_1.weight does not fit"),
    ({"tensors": unnamed}, "fc6.weight does not fit"),
]
LIES = [
    *(("transform", *lie) for lie in TRANSFORM),
    *(("translate", *lie) for lie in TRANSLATE),
    *(("vgg", *lie) for lie in VGG),
]
FULL = {
    "transform": lambda path: library.write(path, model()),
    "translate": lambda path: library.write(path, translator()),
    "vgg": write_vgg,
}


@pytest.mark.parametrize("kind, changes, told", LIES, ids=[f"{kind}: {told}" for kind, _, told in LIES])
def test_a_file_with_a_strange_description_is_refused(path, kind, changes, told):
    FULL[kind](path)
    resealed(path, **changes)
    with pytest.raises((CheckpointError, WeightsError), match=told) as refusal:
        vgg.read(path) if kind == "vgg" else library.read(path)
    assert "mine.safetensors" in str(refusal.value) and "\n" not in str(refusal.value)


def claiming(path, about, shapes):
    """A file with such a description and entries to match, and no data."""
    entries, end = {"__metadata__": {"styler": json.dumps(about)}}, 0
    for key, shape in shapes.items():
        start, end = end, end + 4 * torch.Size(shape).numel()
        entries[key] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    header = json.dumps(entries).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def test_a_header_that_claims_much_costs_nothing(path):
    """The widest networks, told by the file's size before anything is built."""
    made = ResidualArchitecture(width=512, styles=1)
    with torch.device("meta"):
        state = ResidualNetwork(made).state_dict()
    about = {"format": 2, "licence": "", "information": {}, "sha256": "0" * 64}
    styled = {"kind": "transform", "network": described(made), "styles": [{"name": "a"}]}
    claiming(path, {**about, **styled}, {key: tensor.shape for key, tensor in state.items()})
    refused(path, r"has \d,\d+ bytes and should have 1,69\d,")
    body = VGGArchitecture("vgg19", (4096,) * 16)
    claiming(path, {**about, "kind": "vgg", "network": dataclasses.asdict(body), "styles": []}, body.shapes())
    refused(path, r"has \d,\d+ bytes and should have 9,0\d\d,")


INFINITE = float("inf")
VALUES = [INFINITE, -INFINITE, float("nan"), -1, 10**400, 3.5, None, "x", [], {}, "9" * 5000, True, 1 << 62]


def places(value, place=()):
    """Where values stand in nested ones."""
    yield place
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in list(members)[:4]:
        yield from places(member, (*place, key))


def put(value, place, new):
    """Nested values with another one at a place."""
    if not place:
        return new
    changed = value.copy()
    changed[place[0]] = put(value[place[0]], place[1:], new)
    return changed


@pytest.mark.parametrize("kind", ["transform", "translate"])
def test_whatever_a_header_says_it_is_listed_or_refused_in_one_line(path, kind, monkeypatch):
    monkeypatch.setattr(library, "files", lambda: iter([(path, False)]))
    FULL[kind](path)
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    entries = json.loads(data[8 : 8 + size])
    about = json.loads(entries["__metadata__"]["styler"])
    whole = {"about": about, "tensors": {key: one for key, one in entries.items() if key != "__metadata__"}}
    refusals = 0
    for place in places(whole):
        for value in VALUES if len(place) > 1 else ():
            changed = put(whole, place, value)
            text = json.dumps(changed["about"])
            header = json.dumps({"__metadata__": {"styler": text}, **changed["tensors"]}).encode()
            path.write_bytes(len(header).to_bytes(8, "little") + header + data[8 + size :])
            (entry,) = library.installed()
            refusals += entry.card is None
            assert entry.problem.isprintable() and len(entry.problem) < 400
            if entry.card:
                assert isinstance(entry.card.summary, str)
                format.read_thumbnails(path)
    assert refusals > 500


def test_a_header_that_is_too_large_is_not_read(path):
    path.write_bytes((2 << 20).to_bytes(8, "little") + b'{"__metadata__":{"styler":"' + b" " * (2 << 20))
    with pytest.raises(DamagedError, match="is a safetensors file, not one of styler's"):
        header.read_card(path)


def test_a_header_nested_too_deep_is_damaged(path):
    header = b'{"styler":' + b"[" * 200_000
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    refused(path)


# Each where it belongs


def refused_as_a_model(path):
    with pytest.raises(CheckpointError, match="is feature weights, which --loss-network takes"):
        library.read(path)


def test_feature_weights_are_no_model(path):
    write_vgg(path)
    refused_as_a_model(path)


@pytest.mark.parametrize("make", [model, texture, translator])
def test_a_model_is_no_feature_weights(path, make):
    library.write(path, make())
    with pytest.raises(
        WeightsError, match=r"a trained network that has no features, a .* for styler (fast|tra)"
    ):
        vgg.read(path)


@pytest.mark.parametrize(
    "data, told",
    [(b"\xff\xd8\xff\xe0" + bytes(99), "a JPEG picture"), (b"", "an empty file"), (b"mine", "unknown kind")],
)
def test_other_files_are_refused_by_what_they_are(path, data, told):
    path.write_bytes(data)
    assert not header.is_ours(path)
    for read in (format.read, header.read_card, vgg.read):
        with pytest.raises(DamagedError, match=f"{told}, not one of styler's networks: styler models add"):
            read(path)


def test_another_tool_s_safetensors_are_not_ours(path):
    safetensors.torch.save_file({"a": torch.ones(2)}, path)
    assert not header.is_ours(path)
    with pytest.raises(DamagedError, match="is a safetensors file, not one of styler's"):
        header.read_card(path)


# Writing


@pytest.mark.parametrize(
    "wrong, told",
    [
        (lambda: model(Style("Ink")), "'Ink' is not written like ink"),
        (lambda: model(INK, INK), "2 styles, named ink, ink"),
        (lambda: dataclasses.replace(model(thumbnails=False), card=model(INK).card), "does not fit"),
        (lambda: dataclasses.replace(model(), thumbnails=torch.zeros(1, 3, 4, 4)), "thumbnails are F32"),
        (
            lambda: dataclasses.replace(model(thumbnails=False), card=Card("vgg", feature(), ())),
            "does not fit",
        ),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, path, wrong, told):
    with pytest.raises(CheckpointError, match=told):
        library.write(path, wrong())
    assert not list(tmp_path.iterdir())


def test_values_too_large_for_the_number_type_are_not_written(tmp_path, path):
    made = model()
    with torch.no_grad():
        made.network.last.conv.weight.fill_(1e6)
    with pytest.raises(CheckpointError, match=r"last.conv.weight are not finite"):
        library.write(path, made)
    convolutions = {"conv1_1": (torch.full((2, 3, 3, 3), 1e6), torch.zeros(2))}
    with pytest.raises(WeightsError, match="not finite"):
        vgg.write(path, "vgg19", convolutions, dtype=torch.float16)
    assert not list(tmp_path.iterdir())


def test_an_existing_file_is_kept_without_overwrite(path):
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        library.write(path, model(), overwrite=False)
    assert path.read_bytes() == b"mine"
