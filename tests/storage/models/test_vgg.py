"""Weights by name: which there are, where they lie, each layout in and each lie refused."""

import hashlib
import os
import pickle

import pytest
import safetensors.torch
import torch
from narrow import NARROW, indexed, isolate, named, same, saved, squeezed

from styler.errors import InputError, OutputError, WeightsError
from styler.networks.vgg import CAFFE, TORCHVISION, random_convolutions
from styler.storage.models import install, vgg
from styler.storage.models.known import WEIGHTS


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    return isolate(tmp_path, monkeypatch)


# The table


def test_the_table_says_where_every_file_is_from():
    for name, record in WEIGHTS.items():
        assert record.licence and record.source
        if name == "compact":
            continue
        assert record.url.startswith("https://")
        assert record.url.rpartition("-")[2] == f"{record.sha256[:8]}.pth"  # torch.hub's convention
        assert len(record.sha256) in (8, 64)
        assert record.normalization == (CAFFE if "caffe" in name else TORCHVISION)


def test_unknown_name_gets_the_nearest():
    with pytest.raises(WeightsError, match="did you mean vgg19"):
        vgg.load("vgg91")


# Folders


def test_folder_follows_the_platform(monkeypatch, tmp_path):
    assert vgg.folder() == tmp_path / "home" / "weights"
    monkeypatch.delenv("STYLER_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert vgg.folder() == tmp_path / "styler" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert vgg.folder() == tmp_path / "me" / ".cache" / "styler" / "weights"


def test_missing_weights_name_command_address_hash_and_folder(home):
    assert vgg.path("vgg19") is None
    assert vgg.verify("vgg19") == "missing"
    with pytest.raises(WeightsError) as caught:
        vgg.load("vgg19")
    for part in ("styler weights fetch vgg19", WEIGHTS["vgg19"].url, WEIGHTS["vgg19"].sha256, str(home)):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not home.exists()  # to look is not to make a folder


# The built-in network


def test_built_in_network_is_read_like_any_other(tmp_path, monkeypatch):
    path = tmp_path / "compact.safetensors"
    vgg.write(path, "compact", random_convolutions("compact", NARROW), dtype=torch.float16)
    monkeypatch.setattr(vgg, "built_in", lambda: path)
    assert vgg.load("compact").network == "compact"
    assert vgg.verify("compact") == "ok"
    assert vgg.sha256("compact") == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="built in"):
        list(install.fetch("compact"))
    with pytest.raises(WeightsError, match="--network"):
        install.add("compact", path)


def test_absent_or_damaged_built_in_network_asks_for_a_new_installation(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg, "built_in", lambda: None)
    with pytest.raises(WeightsError, match="force-reinstall"):
        vgg.load("compact")
    path = tmp_path / "compact.safetensors"
    path.write_bytes(b"\0" * 100)
    monkeypatch.setattr(vgg, "built_in", lambda: path)
    with pytest.raises(WeightsError, match="force-reinstall"):
        vgg.load("compact")
    assert path.exists()  # it is pip's, not ours to move


# add


LAYOUTS = {
    "torchvision.pth": lambda path: saved(path, indexed() | {"classifier.0.weight": torch.zeros(3, 4)}),
    "legacy.pth": lambda path: saved(path, indexed(), _use_new_zipfile_serialization=False),
    "parallel.pth": lambda path: saved(path, indexed(prefix="module.")),
    "inner.pth": lambda path: saved(
        path, {key.replace("features.", "features.module."): value for key, value in indexed().items()}
    ),
    "caffe.pth": lambda path: saved(path, named()),
    "caffe_1.pth": lambda path: saved(path, named(ending="_1")),
    "plain.safetensors": lambda path: (safetensors.torch.save_file(indexed(), path), path)[1],
    "ours.safetensors": lambda path: (
        vgg.write(path, "vgg19", random_convolutions("vgg19", NARROW)),
        path,
    )[1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_add_takes_each_layout(tmp_path, home, layout):
    file = LAYOUTS[layout](tmp_path / layout)
    assert install.add("vgg19", file) == home / "vgg19.safetensors"
    extractor = vgg.load("vgg19")
    assert same(extractor, random_convolutions("vgg19", NARROW))
    assert extractor.normalization == TORCHVISION
    assert vgg.verify("vgg19") == "ok"
    assert [path.name for path in home.iterdir()] == ["vgg19.safetensors"]


def test_add_under_a_caffe_name_gives_caffe_normalization(tmp_path):
    install.add("vgg16-caffe", saved(tmp_path / "x.pth", indexed("vgg16")))
    assert vgg.load("vgg16-caffe").normalization == CAFFE
    assert "unknown origin" in vgg.describe("vgg16-caffe")


def test_half_precision_is_kept_as_float32(tmp_path):
    install.add("vgg19", saved(tmp_path / "x.pth", {key: value.half() for key, value in indexed().items()}))
    assert same(vgg.load("vgg19"), random_convolutions("vgg19", NARROW), torch.float16)


def test_cut_off_body_is_taken_and_said(tmp_path):
    state = {key: value for key, value in indexed().items() if int(key.split(".")[1]) <= 16}
    install.add("vgg19", saved(tmp_path / "x.pth", state))
    assert vgg.load("vgg19").layers[-1] == "pool3"
    assert "cut off after conv3_4" in vgg.describe("vgg19")


@pytest.mark.parametrize("layout", [indexed, named])
def test_vgg16_and_vgg19_are_told_apart(tmp_path, layout):
    with pytest.raises(WeightsError, match="it is vgg16: styler weights add vgg16"):
        install.add("vgg19", saved(tmp_path / "x.pth", layout("vgg16")))
    with pytest.raises(WeightsError, match="it is vgg19"):
        install.add("vgg16", saved(tmp_path / "x.pth", layout("vgg19")))


@pytest.mark.parametrize("owner", [name for name, record in WEIGHTS.items() if record.corner])
def test_first_layer_tells_whose_weights_they_are(tmp_path, owner):
    network = WEIGHTS[owner].network
    other = f"{network}-caffe" if owner == network else network
    state = indexed(network)
    state["features.0.weight"][0, :, 0, 0] = (
        torch.tensor(WEIGHTS[owner].corner) + 4e-5
    )  # rounded in the table
    file = saved(tmp_path / "x.pth", state)
    with pytest.raises(WeightsError, match=f"styler weights add {owner} "):
        install.add(other, file)
    install.add(owner, file)
    assert vgg.describe(owner) == "complete"


def test_first_layer_for_small_inputs_is_no_caffe_network(tmp_path):
    state = indexed()
    state["features.0.weight"] *= 58
    with pytest.raises(WeightsError, match="inputs near 1"):
        install.add("vgg19-caffe", saved(tmp_path / "x.pth", state))
    install.add("vgg19", tmp_path / "x.pth")


def test_slim_file_of_another_normalization_is_refused(tmp_path):
    vgg.write(tmp_path / "x.safetensors", "vgg19", random_convolutions("vgg19", NARROW), CAFFE)
    with pytest.raises(WeightsError, match="bgr input, not vgg19"):
        install.add("vgg19", tmp_path / "x.safetensors")


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_no_code_in_a_pickle_is_run(tmp_path, home, legacy):
    canary = tmp_path / "canary"
    state = indexed() | {"features.99.weight": Canary(canary)}
    file = saved(tmp_path / "evil.pth", state, _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="holds code"):
        install.add("vgg19", file)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(WeightsError):
        install.add("vgg19", tmp_path / "plain.pkl")
    assert not canary.exists()
    assert not home.exists()


def broken(change):
    state = indexed()
    change(state)
    return state


BATCH_NORM = {"features.1.running_mean": torch.zeros(4), "features.1.weight": torch.zeros(4)}
SPARSE = {"features.0.weight": torch.zeros(2, 3, 3, 3).to_sparse(), "features.0.bias": torch.zeros(2)}


@pytest.mark.parametrize(
    "state, told",
    [
        (broken(lambda s: s["features.5.weight"].view(-1)[3].fill_(torch.nan)), "conv2_1 .*not finite"),
        (broken(lambda s: s["features.5.bias"][0].fill_(torch.inf)), "conv2_1 .*not finite"),
        (broken(lambda s: s.update({"features.2.weight": torch.zeros(4, 5, 3, 3)})), "conv1_2 has shapes"),
        (broken(lambda s: s.update({"features.2.weight": torch.zeros(7)})), "conv1_2 has shapes"),
        (broken(lambda s: s.update({"features.0.weight": s["features.0.weight"].int()})), "int32"),
        (broken(lambda s: s.pop("features.7.bias")), "does not hold vgg19"),
        (broken(lambda s: s.pop("features.7.weight")), "does not hold vgg19"),
        (broken(lambda s: s.update(BATCH_NORM)), "batch normalization"),
        (SPARSE, r"x.pth (was refused|does not hold)"),  # torch warns, here an error
        ({}, "found none"),
        ({"encoder.weight": torch.zeros(3)}, "found encoder.weight"),
        ([torch.zeros(3)], "holds a list"),
    ],
)
def test_wrong_contents_are_refused(tmp_path, home, state, told):
    with pytest.raises(WeightsError, match=told) as caught:
        install.add("vgg19", saved(tmp_path / "x.pth", state))
    assert "\n" not in str(caught.value)
    assert not list(home.glob("*.safetensors"))


@pytest.mark.parametrize(
    "data, told",
    [
        (b"\xff\xd8\xff\xe0" + b"\0" * 99, "is a JPEG picture: give a network as .pth"),
        (b"<!DOCTYPE html><html>not found</html>", "is an HTML page"),
        (b"", "is empty: give a network"),
        (b"PK\x03\x04" + b"\0" * 99, "was refused"),
        (b"\x80\x02garbage", "was refused"),
        ((1 << 39).to_bytes(8, "little") + b'{"a"', "describes far more tensors"),
    ],
)
def test_other_files_are_refused_by_what_they_are(tmp_path, data, told):
    file = tmp_path / "x.pth"
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=told):
        install.add("vgg19", file)
    with pytest.raises(WeightsError):
        vgg.load(str(file))


def test_add_without_a_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        install.add("vgg19", tmp_path / "nothing.pth")


def test_folder_that_cannot_be_written_names_the_variable(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("STYLER_HOME", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="STYLER_HOME"):
        install.add("vgg19", saved(tmp_path / "x.pth", indexed()))


# Damage in the cache


def test_damaged_file_is_moved_aside_and_told(tmp_path, home):
    path = install.add("vgg19", saved(tmp_path / "x.pth", indexed()))
    data = bytearray(path.read_bytes())
    data[-9] ^= 4
    path.write_bytes(data)
    assert vgg.verify("vgg19") == "damaged"
    assert path.exists()  # verify changes nothing
    with pytest.raises(WeightsError, match=r"damaged.*moved to.*styler weights fetch vgg19"):
        vgg.load("vgg19")
    assert [entry.name for entry in home.iterdir()] == ["vgg19.safetensors.damaged"]
    assert vgg.verify("vgg19") == "missing"


# SqueezeNet, which is kept whole


def test_a_classifier_is_kept_whole_and_compares_no_pictures(tmp_path, home):
    path = install.add("squeezenet", saved(tmp_path / "x.pth", squeezed()))
    assert path == home / "squeezenet.safetensors"
    assert vgg.verify("squeezenet") == "ok" and vgg.describe("squeezenet") == "complete"
    with pytest.raises(WeightsError, match="scores classes"):
        vgg.load("squeezenet")
    with pytest.raises(WeightsError, match="does not hold squeezenet"):
        install.add("squeezenet", saved(tmp_path / "y.pth", indexed()))
    state = squeezed()
    state["classifier.1.bias"][0] = torch.nan
    with pytest.raises(WeightsError, match="not finite"):
        install.add("squeezenet", saved(tmp_path / "z.pth", state))
