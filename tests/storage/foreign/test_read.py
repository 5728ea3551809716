"""Other tools' files: tensors are read whatever wraps them, and what does not fit is refused."""

import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch
from narrow import indexed
from theirs import Many, Nested, Numbered, paths, pict

from styler.errors import CheckpointError, InputError, WeightsError
from styler.storage import pickles
from styler.storage.foreign.read import read
from styler.storage.foreign.vgg import read_foreign
from styler.storage.models import library

STATES = {
    "painter": lambda: Numbered().state_dict(),
    "translator": lambda: Nested(5).state_dict(),
    "VGG": indexed,
}
every_kind = pytest.mark.parametrize("kind", STATES)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "theirs.pth"


def same(first, last):
    return first.keys() == last.keys() and all(torch.equal(value, last[key]) for key, value in first.items())


def adopted(kind, path):
    """Our tensors of what is in a file."""
    if kind == "VGG":
        pairs = read_foreign(path, "vgg19").items()
        return {f"{name}.{part}": pair[part].float() for name, pair in pairs for part in (0, 1)}
    return library.read(path).network.state_dict()


def refused(path, told, kinds=tuple(STATES)):
    """That readers of trained networks and of VGGs refuse a file, in one line."""
    for kind in kinds:
        error = WeightsError if kind == "VGG" else CheckpointError
        with pytest.raises(error, match=told) as refusal:
            adopted(kind, path)
        assert path.name in str(refusal.value) and "\n" not in str(refusal.value)


OPTIMIZER = {"state": {0: {"exp_avg": torch.ones(2)}}, "param_groups": [{"lr": 0.1, "params": [0]}]}
WRAPPED = {
    "module": lambda s: {f"module.{key}": value for key, value in s.items()},
    "compiled": lambda s: {f"_orig_mod.module.{key}": value for key, value in s.items()},
    "state_dict": lambda s: {"state_dict": s, "optimizer_state": {"state": {}}, "style_weight": 4e5},
    "model": lambda s: {"epoch": 3, "model": {"state_dict": s}},
    "any key": lambda s: {"epoch": 3, "whatever": s, "optimizer": OPTIMIZER},
    "any key within": lambda s: {"a": {"b": {"c": s, "rate": 0.1}}, "optimizer": OPTIMIZER},
    "averaged": lambda s: {"params": {"w": torch.ones(2)}, "params_ema": s},
    "pair": lambda s: {"netG": s, "netD": {"layer0.0.weight": torch.ones(2)}, "step": torch.ones(())},
}


@every_kind
@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("zipped", [True, False])
def test_wrappers_prefixes_and_old_pickles_make_no_difference(path, kind, name, zipped):
    state = STATES[kind]()
    torch.save(WRAPPED[name](state), path, _use_new_zipfile_serialization=zipped)
    assert same(read(path), state)
    torch.save(state, path.with_name("plain.pth"))
    assert same(adopted(kind, path), adopted(kind, path.with_name("plain.pth")))


@every_kind
def test_safetensors_of_another_tool_are_read(path, kind):
    state = {key: value.contiguous() for key, value in STATES[kind]().items()}
    torch.save(state, path)
    safetensors.torch.save_file(state, path.with_name("theirs.safetensors"))
    assert same(read(path.with_name("theirs.safetensors")), state)
    assert same(adopted(kind, path), adopted(kind, path.with_name("theirs.safetensors")))


@every_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_numbers_of_another_type_become_float32(path, kind, dtype):
    def cast(state, dtype):
        return {key: value.to(dtype) if value.is_floating_point() else value for key, value in state.items()}

    rounded = cast(STATES[kind](), torch.float16)
    torch.save(cast(rounded, torch.float32), path.with_name("plain.pth"))
    torch.save(cast(rounded, dtype), path)
    assert same(adopted(kind, path), adopted(kind, path.with_name("plain.pth")))


@pytest.mark.parametrize("kind, counter", [("painter", "in1"), ("translator", "")])
def test_counters_of_batches_are_left_out(path, kind, counter):
    state = STATES[kind]()
    torch.save(state, path.with_name("plain.pth"))
    if counter:
        torch.save({**state, f"{counter}.num_batches_tracked": torch.tensor(7)}, path)
    else:
        torch.save({k: v for k, v in state.items() if "num_batches" not in k}, path)
    assert same(adopted(kind, path), adopted(kind, path.with_name("plain.pth")))


# Files that are refused


@pytest.mark.parametrize(
    "data, told",
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 90, "is a PNG picture"),
        (b"<!doctype html>", "is an HTML page"),
        (b"PK\x03\x04nonsense", "damaged"),
        (b"\x80\x02nonsense", "damaged"),
        (b"nonsense", "of an unknown kind"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
            "Git LFS pointer.*git lfs pull",
        ),
        (b"\4\0\0\0\1\0\0\0\3\0\0\0V 1", "Torch7"),
        (b"\3\0\0\0\1\0\0\0\2\0\0\0", "Torch7"),
        (b"4\n1\n3\nV 1\n13\nnn.Sequential\n", "Torch7"),
        ((1 << 27).to_bytes(8, "little") + b"{" + b" " * 90, "far more tensors"),
    ],
)
def test_other_files_are_told_what_they_are(path, data, told):
    path.write_bytes(data)
    refused(path, told)


def _endless():
    loop = {"note": 1}
    loop["model"] = loop
    return loop


@pytest.mark.parametrize(
    "content, told",
    [
        ({"in1.bias": torch.ones(3), "note": "mine"}, "other things than a network's tensors: 'note'"),
        ({"in1.bias": torch.ones(3), 7: torch.ones(3)}, "other things than a network's tensors: 7"),
        ({"in2.bias": torch.ones(8).to_sparse()}, "was refused"),  # torch warns, here an error
        ({"state": {}, "param_groups": [{"lr": 0.1}]}, "state of an optimizer"),
        ([torch.ones(3)], "holds a list: give a file with a network's state_dict"),
        (_endless(), "other things than a network's tensors"),
        ({"a": {"w": torch.ones(3)}, "b": {"w": torch.ones(3)}}, r"holds several networks \(a, b\)"),
        ({"w": torch.ones(1).expand(1 << 40)}, "far fewer values"),
        (dict.fromkeys("abcde", torch.ones(9)), "same values for many tensors"),
    ],
)
def test_files_without_a_network_s_state_are_refused(path, content, told):
    torch.save(content, path)
    refused(path, told)


def test_a_file_that_is_not_there_is_an_input_error(path):
    for kind in STATES:
        with pytest.raises(InputError, match="no such file"):
            adopted(kind, path)


def test_a_file_that_is_too_large_is_not_read(path, monkeypatch):
    torch.save(STATES["painter"](), path)
    monkeypatch.setattr("styler.storage.foreign.read.FILE_BYTES", 1000)
    refused(path, r"has \d+ MB, far too much")


class Trap:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (Path(self.canary),)


@every_kind
@pytest.mark.parametrize("write", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value, 2))])
def test_code_in_a_file_is_not_run(path, kind, write):
    canary = path.with_name("canary")
    write({**STATES[kind](), "more": Trap(canary)}, path)
    refused(path, "code or objects")
    assert not canary.exists()


def test_a_packed_zip_is_not_unpacked(path):
    torch.save(STATES["painter"](), path)
    packed = path.with_name("packed.pth")
    with zipfile.ZipFile(path) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in plain.infolist():
            archive.writestr(entry.filename, plain.read(entry))
    refused(packed, "compressed ZIP")


@pytest.mark.parametrize("cut", [0, 3, 40, 1000, -1])
def test_a_cut_pict_is_refused(tmp_path, cut):
    data, _ = pict(paths(2))
    (tmp_path / "cats.pict").write_bytes(data[:cut])
    with pytest.raises(CheckpointError, match=r"cats\.pict"):
        library.read(tmp_path / "cats.pict")


@pytest.mark.parametrize(
    "names",
    [b"[{}]", b'[{"name": "a", "shape": [-1]}]', b"[{" + b"[" * 100_000, b'[{"name": "a", "shape": [1e9]}]'],
)
def test_a_pict_that_lies_is_refused(tmp_path, names):
    blocks = (names, bytes(1024), bytes(8))
    (tmp_path / "a.pict").write_bytes(b"".join(len(b).to_bytes(4, "big") + b for b in blocks))
    with pytest.raises(CheckpointError, match=r"a\.pict was refused"):
        library.read(tmp_path / "a.pict")


def test_a_zip_whose_entries_share_their_bytes_is_not_opened(path, monkeypatch):
    torch.save({f"w{index}": torch.ones(1000) for index in range(9)}, path)
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first, *others = [entry for entry in archive.infolist() if "/data/" in entry.filename]
    for entry in others:  # in the directory of the archive each begins where the first does
        name = entry.filename.encode()
        begin = data.rindex(name) - 4
        data = data[:begin] + first.header_offset.to_bytes(4, "little") + data[begin + 4 :]
    end = data.index(others[0].filename.encode()) - 30
    path.write_bytes(data[:end] + data[data.index(b"PK\1\2") :])
    monkeypatch.setattr(torch, "load", None)
    refused(path, "damaged")
    with pytest.raises(ValueError, match="larger than the file"), path.open("rb") as file:
        pickles.load(file)


def bomb(called):
    """A pickle that calls a class to take as much memory as it says, in files of PyTorch before 1.6."""
    parts = [torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {}]
    lines = b"\x80\x02}X\1\0\0\0wc" + called.replace(".", "\n").encode() + b"\nJ\xff\xff\xff\x7f\x85Rs."
    return b"".join(pickle.dumps(part, 2) for part in parts) + lines + pickle.dumps([], 2)


@pytest.mark.parametrize(
    "called", ["builtins.bytearray", "__builtin__.bytearray", "torch.Tensor", "torch.FloatTensor"]
)
def test_a_class_that_takes_memory_is_not_called(path, called, monkeypatch):
    path.write_bytes(bomb(called))
    monkeypatch.setattr(torch, "load", None)
    refused(path, "objects besides tensors")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_warning_of_torch_is_not_shown(path, protocol, recwarn):
    path.write_bytes(pickle.dumps({"w": 1}, protocol))
    refused(path, "was refused")
    assert not recwarn.list


# Tensors that do not fit

DEEP = "model.model.1.model.3.model"
UP = f"{DEEP}.5.weight"


def without(*words):
    return lambda state: {k: v for k, v in state.items() if not any(word in k for word in words)}


def changed(key, value):
    return lambda state: {**state, key: value}


PAINTER = {
    "left over": (changed("res6.in1.weight", torch.ones(4)), "has left over res6.in1.weight"),
    "missing": (without("res5"), r"lacks res5.conv1.conv2d.weight, .* and 5 more"),
    "misshapen": (changed("in2.bias", torch.ones(3)), "has misshapen in2.bias"),
    "huge": (changed("conv2.conv2d.weight", torch.zeros(1).expand(1 << 40)), "far fewer values"),
    "not finite": (changed("in2.bias", torch.full((8,), torch.nan)), "not finite in in2.bias"),
    "integers": (changed("in2.bias", torch.ones(8, dtype=torch.int32)), "no floating-point .* in2.bias"),
    "first": (changed("conv1.conv2d.weight", torch.ones(3)), "first convolution is missing or misshapen"),
    "wide": (
        changed("conv1.conv2d.weight", torch.ones(600, 3, 9, 9)),
        "first convolution",
    ),
    "style lacks": (
        lambda _: without("in3.inns.green_one.bias")(Numbered(Many).state_dict()),
        "lacks in3.inns.green_one.bias",
    ),
    "nothing": (lambda _: {}, "keys of no network that is known here: none at all"),
    "VGG": (lambda _: {"features.0.weight": torch.ones(64, 3, 3, 3)}, "VGG .* styler weights add"),
    "other": (lambda _: {"encoder.weight": torch.ones(3)}, "no network .*: encoder.weight"),
}
TRANSLATOR = {
    "left over": (changed("model.model.9.weight", torch.ones(2)), "has left over model.model.9.weight"),
    "stray elsewhere": (changed("more.running_mean", torch.ones(2)), "has left over more.running_mean"),
    "half a layer": (without(f"{DEEP}.6.bias"), rf"lacks {DEEP}.6.bias, so it is no network"),
    "a layer": (without(UP), rf"lacks {UP}"),
    "the end": (without("model.model.3.bias"), "lacks model.model.3.bias"),
    "a bias": (changed(f"{DEEP}.1.bias", torch.ones(12)), r"lacks model.model.0.bias, .* more"),
    "misshapen": (changed(UP, torch.ones(2, 2, 4, 4)), f"has misshapen {UP}"),
    "first": (changed("model.model.0.weight", torch.ones(3)), "has misshapen model.model.0.weight"),
    "empty first": (changed("model.model.0.weight", torch.ones(0, 3, 4, 4)), "its width is 0"),
    "wide": (changed("model.model.0.weight", torch.ones(9999, 3, 4, 4)), "its width is 9999"),
    "not finite": (changed(f"{DEEP}.6.bias", torch.full((6,), torch.nan)), "not finite in"),
    "integers": (changed(f"{DEEP}.6.bias", torch.ones(6, dtype=torch.int32)), "no floating-point numbers in"),
    "negative": (changed(f"{DEEP}.6.running_var", -torch.ones(6)), "has negative variances in"),
    "other depth": (without(".3.model.3.model.3.model."), r"lacks .*, so it is no network"),
}
MISFITS = [("painter", *misfit) for misfit in PAINTER.values()]
MISFITS += [("translator", *misfit) for misfit in TRANSLATOR.values()]
NAMES = [*(f"painter {name}" for name in PAINTER), *(f"translator {name}" for name in TRANSLATOR)]


@pytest.mark.parametrize("kind, change, told", MISFITS, ids=NAMES)
def test_what_does_not_fit_is_refused_in_one_line(path, kind, change, told):
    torch.save(change(dict(STATES[kind]())), path)
    refused(path, told, [kind])
