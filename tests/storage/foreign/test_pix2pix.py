"""Other tools' translators: plain ones, written from descriptions, translate as ours do with their files."""

import functools
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from styler.errors import CheckpointError, InputError
from styler.networks import pix2pix
from styler.networks.pix2pix import GeneratorArchitecture, Mode
from styler.storage.foreign import residual, write
from styler.storage.models import convert, library
from styler.storage.translation import Translation

W = 3  # channels of the first layer

NORMS = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "tracked": functools.partial(nn.InstanceNorm2d, track_running_stats=True),
    "none": lambda channels: nn.Identity(),
}


# The plain networks; they take and give pictures in [-1, 1]


class Block(nn.Module):
    """A level of junyanz's U-Net, with those below inside; `outer` and `inner` are its channels."""

    def __init__(self, outer, inner, below, norm, ends=None, dropout=False):
        super().__init__()
        self.outermost = ends is not None
        bias = norm in ("instance", "tracked")
        layer = NORMS[norm]
        before, after = ends or (outer, outer)
        down = nn.Conv2d(before, inner, 4, 2, 1, bias=bias)
        up = nn.ConvTranspose2d(2 * inner if below else inner, after, 4, 2, 1, bias=bias or self.outermost)
        if self.outermost:
            parts = [down, below, nn.ReLU(), up, nn.Tanh()]
        elif below is None:
            parts = [nn.LeakyReLU(0.2), down, nn.ReLU(), up, layer(outer)]
        else:
            parts = [nn.LeakyReLU(0.2), down, layer(inner), below, nn.ReLU(), up, layer(outer)]
            parts += [nn.Dropout(0.5)] * dropout
        self.model = nn.Sequential(*parts)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Nested(nn.Module):
    """junyanz's U-Net."""

    def __init__(self, halvings, norm="batch", inputs=3, outputs=3, dropout=True):
        super().__init__()
        widths = [W * min(2**level, 8) for level in range(halvings)]
        block = Block(widths[-2], widths[-1], None, norm)
        for level in reversed(range(1, halvings - 1)):
            place = halvings - level  # of the way up, from the bottleneck
            spread = dropout and 2 <= place <= halvings - 4
            block = Block(widths[level - 1], widths[level], block, norm, dropout=spread)
        self.model = Block(None, W, block, norm, ends=(inputs, outputs))

    def forward(self, x):
        return self.model(x)


class Bypassed(nn.Module):
    """A residual block of junyanz's and pix2pixHD's."""

    def __init__(self, channels, norm, bias, dropout):
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), NORMS[norm](channels)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3, bias=bias), NORMS[norm](channels)]
        self.conv_block = nn.Sequential(*half, nn.ReLU(), *[nn.Dropout(0.5)] * dropout, *again)

    def forward(self, x):
        return x + self.conv_block(x)


class Row(nn.Module):
    """junyanz's residual network; with biases everywhere and deeper it is pix2pixHD's."""

    def __init__(self, blocks, norm="batch", halvings=2, dropout=False, bias=None, inputs=3):
        super().__init__()
        bias = norm in ("instance", "tracked") if bias is None else bias
        layer, deepest = NORMS[norm], W * 2**halvings
        parts = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, W, 7, bias=bias), layer(W), nn.ReLU()]
        for width in (W * 2**level for level in range(halvings)):
            parts += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), layer(2 * width), nn.ReLU()]
        parts += [Bypassed(deepest, norm, bias, dropout) for _ in range(blocks)]
        for width in (W * 2**level for level in reversed(range(halvings))):
            up = nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=bias)
            parts += [up, layer(width), nn.ReLU()]
        self.model = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(W, 3, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class Sequence(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.model = nn.Sequential(*(part for part in parts if part))

    def forward(self, x):
        return self.model(x)


class Numbered(nn.Module):
    """eriklindernoren's U-Net, of any depth."""

    def __init__(self, halvings=8):
        super().__init__()
        widths = [3] + [W * min(2**level, 8) for level in range(halvings)]
        self.halvings = halvings
        for n, (before, after) in enumerate(itertools.pairwise(widths), 1):
            conv = nn.Conv2d(before, after, 4, 2, 1, bias=False)
            norm = nn.InstanceNorm2d(after) if 1 < n < halvings else None
            setattr(self, f"down{n}", Sequence(conv, norm, nn.LeakyReLU(0.2), nn.Dropout(0.5 * (n > 3))))
        for n in range(1, halvings):
            before, after = widths[-n] * (1 + (n > 1)), widths[-n - 1]
            conv = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
            setattr(self, f"up{n}", Sequence(conv, nn.InstanceNorm2d(after), nn.ReLU(), nn.Dropout(0.5)))
        pad = nn.ZeroPad2d((1, 0, 1, 0))
        self.final = nn.Sequential(
            nn.Upsample(scale_factor=2), pad, nn.Conv2d(2 * W, 3, 4, padding=1), nn.Tanh()
        )

    def forward(self, x):
        made = [x]
        for n in range(1, self.halvings + 1):
            made.append(getattr(self, f"down{n}")(made[-1]))
        x = made[-1]
        for n in range(1, self.halvings):
            x = torch.cat([getattr(self, f"up{n}")(x), made[self.halvings - n]], 1)
        return self.final(x)


def paths(halvings):
    """affinelayer's tensors by name, as TensorFlow lays them out."""
    widths = [3] + [W * min(2**level, 8) for level in range(halvings)]
    shapes = {}
    for n in range(1, halvings + 1):
        before, after = widths[n - 1], widths[n]
        seen = after * (1 + (n < halvings))
        shapes[f"encoder_{n}/conv2d/kernel"] = (4, 4, before, after)
        shapes[f"encoder_{n}/conv2d/bias"] = (after,)
        shapes[f"decoder_{n}/conv2d_transpose/kernel"] = (4, 4, before, seen)
        shapes[f"decoder_{n}/conv2d_transpose/bias"] = (before,)
        for way, channels in (("encoder", after), ("decoder", before)) if n > 1 else ():
            for part in ("gamma", "beta"):
                shapes[f"{way}_{n}/batch_normalization/{part}"] = (channels,)
    draw = np.random.default_rng(5)
    values = {name: draw.normal(0.9 * name.endswith("gamma"), 0.3, shape) for name, shape in shapes.items()}
    return {f"generator/{name}": values[name].astype(np.float32) for name in sorted(values)}


def pict(tensors):
    """The bytes of a .pict file, and the tensors that it holds after quantization by the mu law."""
    flat = np.concatenate([array.ravel() for array in tensors.values()])
    scale, steps = np.abs(flat).max(), np.linspace(-1, 1, 256)
    book = (np.sign(steps) * (256 ** np.abs(steps) - 1) / 255 * scale).astype(np.float32)
    codes = np.abs(book[None] - flat[:, None]).argmin(1).astype(np.uint8)
    listed = [{"name": name, "shape": list(array.shape)} for name, array in tensors.items()]
    blocks = (json.dumps(listed).encode(), book.tobytes(), codes.tobytes())
    data = b"".join(len(block).to_bytes(4, "big") + block for block in blocks)
    ends = np.cumsum([array.size for array in tensors.values()])[:-1]
    kept = np.split(book[codes], ends)
    rounded = {name: part.reshape(tensors[name].shape) for name, part in zip(tensors, kept, strict=True)}
    return data, rounded


def through_paths(tensors, x):
    """affinelayer's network on x [1, 3, H, W] in [-1, 1]: norms by the picture's statistics, no dropout."""
    given = {name.removeprefix("generator/"): torch.from_numpy(array) for name, array in tensors.items()}
    halvings = sum(name.startswith("encoder") and name.endswith("kernel") for name in given)

    def normed(x, layer):
        gain, offset = (given[f"{layer}/batch_normalization/{part}"] for part in ("gamma", "beta"))
        variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * gain[:, None, None] + offset[:, None, None]

    made = []
    for n in range(1, halvings + 1):
        kernel = given[f"encoder_{n}/conv2d/kernel"].permute(3, 2, 0, 1)
        bias = given[f"encoder_{n}/conv2d/bias"]
        x = F.conv2d(F.leaky_relu(x, 0.2) if n > 1 else x, kernel, bias, 2, 1)
        made.append(normed(x, f"encoder_{n}") if n > 1 else x)
        x = made[-1]
    for n in reversed(range(1, halvings + 1)):
        x = torch.cat([x, made[n - 1]], 1) if n < halvings else x
        kernel = given[f"decoder_{n}/conv2d_transpose/kernel"].permute(3, 2, 0, 1)
        bias = given[f"decoder_{n}/conv2d_transpose/bias"]
        x = F.conv_transpose2d(F.relu(x), kernel, bias, 2, 1)
        x = normed(x, f"decoder_{n}") if n > 1 else x.tanh()
    return x


def randomized(network):
    """Values as of a trained network, statistics too; without dropout."""
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for key, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                mean = 1.0 if key.endswith("weight") and tensor.dim() == 1 else 0.0
                spread = 0.3 if tensor.dim() == 1 else (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(mean + spread * torch.randn(tensor.shape, generator=draw))
            if key.endswith("running_var"):
                tensor.abs_().add_(2)
        list(network.state_dict().values())[-2].mul_(0.2)  # the last kernel: a picture is not black or white
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0  # looking at a picture changes nothing
    return network


def photo(side, channels=3):
    return torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(side))


def theirs(network, image, trained=True):
    """What another tool's network makes of an Image; `trained`: by the picture's statistics."""
    modes = {module: module.training for module in network.modules()}
    network.train(trained)
    for module in network.modules():
        if isinstance(module, nn.InstanceNorm2d):
            module.forward = functools.partial(_plain_instance, module)
    made = (network(2 * image - 1) + 1) / 2
    for module, mode in modes.items():
        module.training = mode
    return made


def _plain_instance(module, x):
    return F.instance_norm(x, eps=module.eps)


def saved(network, path, change=lambda state: state):
    torch.save(change(dict(network.state_dict())), path)
    return path


def assert_same(a, b):
    assert (
        a.shape == b.shape and a.std() > 0.01 and ((a > 0.01) & (a < 0.99)).float().mean() > 0.5
    )  # a picture
    assert (a - b).abs().max() < 1e-5


# Reading

KNOWN = {
    "U-Net 8": (lambda: Nested(8), 256, "junyanz U-Net, 8 halvings, width 3, batch norm, .*dropout unknown"),
    "U-Net 7": (lambda: Nested(7), 128, "junyanz U-Net, 7 halvings"),
    "U-Net 5, grey": (lambda: Nested(5, "batch", 1, 1), 64, "5 halvings, .* 1 to 1 channels"),
    "U-Net 2": (lambda: Nested(2), 64, "2 halvings"),
    "U-Net instance": (lambda: Nested(6, "instance"), 128, "6 halvings, width 3, instance norm"),
    "U-Net old instance": (lambda: Nested(6, "tracked"), 128, r"instance norm.*dropped 18 running stat"),
    "U-Net none": (lambda: Nested(6, "none", 4), 64, "no norm, 4 to 3 channels"),
    "residual 6": (lambda: Row(6), 32, "junyanz residual network, 2 halvings, 6 blocks, .*without dropout"),
    "residual 9": (lambda: Row(9, dropout=True), 32, "9 blocks, .* with dropout"),
    "residual instance": (lambda: Row(6, "instance", dropout=True), 32, "6 blocks, .*instance norm"),
    "residual old instance": (lambda: Row(2, "tracked"), 32, "2 blocks, .*dropped 18 running"),
    "residual none": (lambda: Row(3, "none"), 32, "3 blocks, .*no norm"),
    "HD": (lambda: Row(3, "instance", 4, inputs=4), 64, "pix2pixHD global generator, 4 halvings, 3 blocks"),
    "HD batch": (lambda: Row(2, "batch", 3, bias=True), 64, "pix2pixHD .*3 halvings, 2 blocks.*batch norm"),
    "erik": (Numbered, 512, "eriklindernoren U-Net, 8 halvings, .*way down is left out"),
    "erik 5": (lambda: Numbered(5), 64, "eriklindernoren U-Net, 5 halvings"),
}


@pytest.mark.parametrize("name", KNOWN)
@torch.no_grad()
def test_every_dialect_translates_as_before(tmp_path, name):
    make, side, told = KNOWN[name]
    network = randomized(make())
    found = library.read_generator(saved(network, tmp_path / "net_G.pth"))
    image = photo(side, found.network.made.inputs)
    assert_same(theirs(network, image), found.network(image))
    if found.network.made.norm == "batch":
        assert_same(theirs(network, image, trained=False), found.network(image, Mode("stored")))
    assert re.search(told, found.found), found.found
    assert found.card.kind == "translate" and found.card.styles == ()
    assert found.card.information["found"] == found.found and found.card.information["file"] == "net_G.pth"


def test_what_a_file_tells_of_its_use(tmp_path):
    about = {}
    networks = (Nested(6), Nested(5), Row(1), Row(1, dropout=True), Numbered(4))
    for name, network in zip("abcde", networks, strict=True):
        about[name] = library.read_generator(saved(network, tmp_path / f"{name}.pth")).about
    assert [about[name].dropout for name in "abcde"] == [None, False, False, True, True]
    assert all(
        one.direction is None and one.batch is None and one.statistics == "picture" for one in about.values()
    )
    grey = library.read_generator(saved(Nested(5, outputs=1), tmp_path / "grey.pth"))
    assert grey.about.color == "grey"


@pytest.mark.parametrize("halvings, places", [(5, ()), (7, (2, 3)), (8, (2, 3, 4)), (9, (2, 3, 4, 5))])
def test_dropout_is_where_that_tool_has_it(tmp_path, halvings, places):
    found = library.read_generator(saved(Nested(halvings), tmp_path / "a.pth"))
    assert found.network.made.dropout == places
    plain = [layer.place for layer in found.network.up if layer.place]
    assert tuple(plain) == places


@torch.no_grad()
def test_a_pict_translates_by_its_rounded_values(tmp_path):
    for halvings, side in ((3, 32), (6, 128)):
        data, rounded = pict(paths(halvings))
        (tmp_path / "cats.pict").write_bytes(data)
        found = library.read_generator(tmp_path / "cats.pict")
        image = photo(side)
        whole = through_paths(rounded, 2 * image - 1)
        assert_same((whole + 1) / 2, found.network(image))
        made = found.network.made
        assert made.bottleneck_norm and made.bias and made.norm == "instance" and made.dropout == (1, 2, 3)
        assert f"affinelayer U-Net, {halvings} halvings, width 3, instance norm, 3 to 3" in found.found


WRAPPED = {
    "module": lambda s: {f"module.{key}": value for key, value in s.items()},
    "compiled": lambda s: {f"_orig_mod.module.{key}": value for key, value in s.items()},
    "state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "uncounted": lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
    "double": lambda s: {k: v.double() if v.is_floating_point() else v for k, v in s.items()},
}


@pytest.mark.parametrize("name", WRAPPED)
@torch.no_grad()
def test_wrappers_and_prefixes_make_no_difference(tmp_path, name):
    network = randomized(Nested(4))
    plain = library.read_generator(saved(network, tmp_path / "a.pth")).network
    wrapped = library.read_generator(saved(network, tmp_path / "b.pth", WRAPPED[name])).network
    assert wrapped.made == plain.made and torch.equal(wrapped(photo(32)), plain(photo(32)))


# What is refused

DEEP = "model.model.1.model.3.model"
UP = f"{DEEP}.5.weight"


def without(*words):
    return lambda state: {k: v for k, v in state.items() if not any(word in k for word in words)}


def changed(key, value):
    return lambda state: {**state, key: value}


REFUSED = {
    "left over": (changed("model.model.9.weight", torch.ones(2)), "has left over model.model.9.weight"),
    "stray elsewhere": (changed("more.running_mean", torch.ones(2)), "has left over more.running_mean"),
    "half a layer": (without(f"{DEEP}.6.bias"), rf"lacks {DEEP}.6.bias, so it is no network"),
    "a layer": (without(UP), rf"lacks {UP}"),
    "the end": (without("model.model.3.bias"), "lacks model.model.3.bias"),
    "a bias": (changed(f"{DEEP}.1.bias", torch.ones(12)), r"lacks model.model.0.bias, .* more"),
    "misshapen": (changed(UP, torch.ones(2, 2, 4, 4)), f"has misshapen {UP}"),
    "first": (changed("model.model.0.weight", torch.ones(3)), "has misshapen model.model.0.weight"),
    "empty first": (changed("model.model.0.weight", torch.ones(0, 3, 4, 4)), "its width is 0"),
    "wide": (changed("model.model.0.weight", torch.ones(1).expand(9999, 3, 4, 4)), "its width is 9999"),
    "not finite": (changed(f"{DEEP}.6.bias", torch.full((6,), torch.nan)), "not finite in"),
    "integers": (changed(f"{DEEP}.6.bias", torch.ones(6, dtype=torch.int32)), "no floating-point numbers in"),
    "negative": (changed(f"{DEEP}.6.running_var", -torch.ones(6)), "has negative variances in"),
    "other depth": (without(".3.model.3.model.3.model."), r"lacks .*, so it is no network"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_fit_is_refused_in_one_line(tmp_path, name):
    change, told = REFUSED[name]
    path = saved(Nested(5), tmp_path / "net_G.pth", change)
    with pytest.raises(CheckpointError, match=told) as refusal:
        library.read(path)
    assert "net_G.pth" in str(refusal.value) and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "state, told",
    [
        ({"model.0.weight": torch.ones(4, 6, 4, 4)}, "holds a discriminator: give the generator"),
        ({"net.0.weight": torch.ones(4, 6, 1, 1)}, "holds a discriminator"),
        ({"model1_1.1.weight": torch.ones(4)}, "local enhancer, of which only the global"),
        ({"model.4000000000.conv_block.1.weight": torch.ones(4)}, "its halvings is"),
        ({"model.1.conv_block.1.weight": torch.ones(4)}, "its halvings is -1"),
        ({"down1.model.0.weight": torch.ones(4, 3, 4, 4)}, "lacks final.2.weight"),
        ({"generator/encoder_1/conv2d/kernel": torch.ones(4)}, "lacks generator/decoder_1"),
    ],
)
def test_parts_and_relatives_are_told_what_they_are(tmp_path, state, told):
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match=told):
        library.read(tmp_path / "a.pth")


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


class Trap:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return Path.touch, (Path(self.canary),)


def test_code_in_a_file_is_not_run(tmp_path):
    path = saved(Nested(4), tmp_path / "a.pth", changed("more", Trap(tmp_path / "canary")))
    with pytest.raises(CheckpointError, match="code or objects"):
        library.read(path)
    assert not (tmp_path / "canary").exists()


def test_more_channels_than_pictures_have_are_refused(tmp_path):
    path = saved(Nested(4, inputs=7), tmp_path / "labels.pth")
    with pytest.raises(CheckpointError, match="makes 3 channels of 7: it must make 1 or 3, of 4 at most"):
        library.read_generator(path)


# Writing


BACK = {
    "U-Net": lambda: Nested(6),
    "U-Net instance": lambda: Nested(6, "instance"),
    "U-Net none": lambda: Nested(6, "none"),
    "residual": lambda: Row(6),
    "residual dropout": lambda: Row(2, "instance", dropout=True),
}


@pytest.mark.parametrize("name", BACK)
@torch.no_grad()
def test_junyanz_s_files_come_back_key_by_key(tmp_path, name):
    network = randomized(BACK[name]())
    path, ours, back = (saved(network, tmp_path / "a.pth"), tmp_path / "b.safetensors", tmp_path / "c.pth")
    assert convert.convert(path, ours, "").found.startswith("junyanz")
    assert "--ngf 3" in convert.convert(ours, back, "").use
    fresh = BACK[name]()
    fresh.load_state_dict(torch.load(back, weights_only=True))
    assert sorted(torch.load(back, weights_only=True)) == sorted(fresh.state_dict())
    for module in fresh.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert_same(theirs(network, photo(64)), theirs(fresh, photo(64)))


@torch.no_grad()
def test_our_instance_norms_become_batch_norms_of_the_picture(tmp_path):
    made = GeneratorArchitecture(width=W, halvings=5, norm="instance")
    network = randomized(pix2pix.build(made))
    plain = randomized(Nested(5))
    plain.load_state_dict(write.state(network))
    assert_same(theirs(plain, photo(64)), network(photo(64)))
    assert "--norm batch" in write.flags(network) and "never with --eval" in write.flags(network)


@pytest.mark.parametrize(
    ("halvings", "dropout", "without", "moved"),
    [
        (6, (), True, False),
        (6, (2,), False, False),
        (8, (2, 3, 4), False, False),
        (8, (1, 2, 3), False, True),
    ],
)
def test_what_their_test_is_to_be_told_of_dropout(halvings, dropout, without, moved):
    """Their U-Net has it unless it is told otherwise, and without --eval it works."""
    told = write.flags(pix2pix.build(GeneratorArchitecture(width=1, halvings=halvings, dropout=dropout)))
    assert ("--no_dropout" in told, "in other layers" in told) == (without, moved)


@pytest.mark.parametrize(
    "made, told",
    [
        ({"kind": "encoder-decoder"}, "no skips"),
        ({"upsampling": "resize"}, "enlarged nearest pixels"),
        ({"last": "shifted"}, "enlarged nearest pixels"),
        ({"slope": 0.2}, "leaky skips"),
        ({"bottleneck_norm": True}, "norm on the innermost map"),
        ({"halvings": 4}, "4 halvings"),
        ({"bias": True}, "biases where they have none"),
        ({"kind": "residual", "halvings": 3}, "3 halvings"),
        ({"kind": "residual", "halvings": 2, "blocks": 0}, "no blocks"),
    ],
)
def test_what_junyanz_does_not_have_is_not_written(tmp_path, made, told):
    network = randomized(pix2pix.build(GeneratorArchitecture(**{"width": W, "halvings": 5, **made})))
    with pytest.raises(CheckpointError, match=f"{told} has no junyanz form"):
        write.write(tmp_path / "a.pth", network)
    assert not list(tmp_path.iterdir())


# Style networks and translators


def test_each_is_told_from_the_other(tmp_path):
    path = saved(Nested(4), tmp_path / "net_G.pth")
    with pytest.raises(
        CheckpointError, match=r"net_G\.pth is a translator .*: styler translate --checkpoint"
    ):
        library.read_transform(path)
    with pytest.raises(CheckpointError, match="no network that is known here"):
        residual.read_foreign(path)
    with pytest.raises(InputError, match="no styles: leave out --style"):
        convert.convert(path, tmp_path / "x.pth", "ink")


def test_translations_are_checked():
    assert Translation.of(
        {"translation": Translation(condition={"name": "edges"}).information["translation"]}
    )
    for name, value in {
        "direction": "AtoC",
        "batch": 0,
        "statistics": "batch",
        "dropout": 1,
        "condition": {"sigma": 1},
        "inputs": 3,
        "color": "cmyk",
    }.items():
        with pytest.raises(ValueError, match=f"its {name} is"):
            Translation(**{name: value})
    with pytest.raises(TypeError):
        Translation.of({"translation": {"depth": 3}})
