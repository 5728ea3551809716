"""Plain networks of other tools, written from descriptions: what they load and make is what ours must."""

import functools
import itertools
import json

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

W, C = 4, 3  # channels of the first layer: of Johnson's networks, and of pix2pix's generators


# Johnson's network: images times 255, or normalized


class Conv(nn.Module):
    """Reflection, convolution; `conv2d` is its name in pytorch/examples. Doubled before if `up`."""

    def __init__(self, before, after, kernel, stride=1, up=False):
        super().__init__()
        self.up = up
        self.reflection_pad = nn.ReflectionPad2d(kernel // 2)
        self.conv2d = nn.Conv2d(before, after, kernel, stride)

    def forward(self, x):
        x = F.interpolate(x, scale_factor=2, mode="nearest") if self.up else x
        return self.conv2d(self.reflection_pad(x))


class Doubled(nn.Module):
    """gordicaleksa's upsampling: a `Conv` inside."""

    def __init__(self, before, after, kernel, up):
        super().__init__()
        self.conv2d = Conv(before, after, kernel, up=up)

    def forward(self, x):
        return self.conv2d(x)


def affine(channels):
    return nn.InstanceNorm2d(channels, affine=True)


def tracked(channels):
    """As written by PyTorch before 0.4, and later when told so: statistics that nobody uses."""
    norm = nn.InstanceNorm2d(channels, affine=True, track_running_stats=True)
    norm.forward = lambda x: F.instance_norm(x, weight=norm.weight, bias=norm.bias)
    return norm


class ScaleShift(nn.Module):
    """abhiskk's norm."""

    def __init__(self, channels):
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x):
        mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), correction=0, keepdim=True)
        normalized = (x - mean) / torch.sqrt(variance + 1e-9)
        return normalized * self.scale[:, None, None] + self.shift[:, None, None]


class Many(nn.Module):
    """A norm of each style."""

    def __init__(self, channels):
        super().__init__()
        self.inns = nn.ModuleDict({name: affine(channels) for name in ("Red", "green_one", "7")})
        self.chosen = "Red"

    def forward(self, x):
        return self.inns[self.chosen](x)


class Half(nn.Module):
    def __init__(self, channels, norm):
        super().__init__()
        self.conv1, self.in1 = Conv(channels, channels, 3), norm(channels)
        self.conv2, self.in2 = Conv(channels, channels, 3), norm(channels)

    def forward(self, x):
        return self.in2(self.conv2(self.in1(self.conv1(x)).relu())) + x


class Numbered(nn.Module):
    """pytorch/examples' network, RGB 0..255; `norm` makes the layout."""

    def __init__(self, norm=affine, ups=("deconv1", "deconv2", "deconv3"), kind=Conv, residual_norm=None):
        super().__init__()
        self.ups = ups
        self.conv1, self.in1 = Conv(3, W, 9), norm(W)
        self.conv2, self.in2 = Conv(W, 2 * W, 3, 2), norm(2 * W)
        self.conv3, self.in3 = Conv(2 * W, 4 * W, 3, 2), norm(4 * W)
        for n in range(1, 6):
            setattr(self, f"res{n}", Half(4 * W, residual_norm or norm))
        setattr(self, ups[0], kind(4 * W, 2 * W, 3, up=True))
        self.in4 = norm(2 * W)
        setattr(self, ups[1], kind(2 * W, W, 3, up=True))
        self.in5 = norm(W)
        setattr(self, ups[2], Conv(W, 3, 9))

    def forward(self, x):
        for n in (1, 2, 3):
            x = getattr(self, f"in{n}")(getattr(self, f"conv{n}")(x)).relu()
        for n in range(1, 6):
            x = getattr(self, f"res{n}")(x)
        x = self.in4(getattr(self, self.ups[0])(x)).relu()
        x = self.in5(getattr(self, self.ups[1])(x)).relu()
        return getattr(self, self.ups[2])(x)


class Erik(nn.Module):
    """A block of eriklindernoren's."""

    def __init__(self, before, after, kernel=3, stride=1, up=False, norm=True, relu=True):
        super().__init__()
        pad, conv = nn.ReflectionPad2d(kernel // 2), nn.Conv2d(before, after, kernel, stride)
        self.block = nn.Sequential(pad, conv)
        self.up, self.relu = up, relu
        self.norm = affine(after) if norm else None

    def forward(self, x):
        x = self.block(F.interpolate(x, scale_factor=2) if self.up else x)
        x = self.norm(x) if self.norm else x
        return x.relu() if self.relu else x


class ErikResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(Erik(4 * W, 4 * W), Erik(4 * W, 4 * W, relu=False))

    def forward(self, x):
        return self.block(x) + x


class ErikNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = nn.Sequential(
            Erik(3, W, 9),
            Erik(W, 2 * W, stride=2),
            Erik(2 * W, 4 * W, stride=2),
            *(ErikResidual() for _ in range(5)),
            Erik(4 * W, 2 * W, up=True),
            Erik(2 * W, W, up=True),
            Erik(W, 3, 9, norm=False, relu=False),
        )

    def forward(self, x):
        return self.model(x)


class Rusty(nn.Module):
    """rrmina's layers: reflected convolutions, zero-padded transposed ones."""

    def __init__(self, before, after, kernel=3, stride=1, transposed=False, norm=True):
        super().__init__()
        self.margin = 0 if transposed else kernel // 2
        if transposed:
            self.conv_transpose = nn.ConvTranspose2d(before, after, kernel, 2, 1, 1)
        else:
            self.conv_layer = nn.Conv2d(before, after, kernel, stride)
        self.norm_layer = affine(after) if norm else nn.Identity()

    def forward(self, x):
        if not self.margin:
            return self.norm_layer(self.conv_transpose(x))
        return self.norm_layer(self.conv_layer(F.pad(x, (self.margin,) * 4, mode="reflect")))


class RustyResidual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = Rusty(4 * W, 4 * W), Rusty(4 * W, 4 * W)

    def forward(self, x):
        return self.conv2(self.conv1(x).relu()) + x


class RustyNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        halves = [nn.ReLU(), Rusty(W, 2 * W, 3, 2), nn.ReLU(), Rusty(2 * W, 4 * W, 3, 2), nn.ReLU()]
        self.ConvBlock = nn.Sequential(Rusty(3, W, 9), *halves)
        self.ResidualBlock = nn.Sequential(*(RustyResidual() for _ in range(5)))
        up = [Rusty(4 * W, 2 * W, transposed=True), nn.ReLU(), Rusty(2 * W, W, transposed=True), nn.ReLU()]
        self.DeconvBlock = nn.Sequential(*up, Rusty(W, 3, 9, norm=False))

    def forward(self, x):
        return self.DeconvBlock(self.ResidualBlock(self.ConvBlock(x)))


# Generators of pix2pix: pictures in [-1, 1]


NORMS = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "tracked": functools.partial(nn.InstanceNorm2d, track_running_stats=True),
    "none": lambda channels: nn.Identity(),
}


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
        widths = [C * min(2**level, 8) for level in range(halvings)]
        block = Block(widths[-2], widths[-1], None, norm)
        for level in reversed(range(1, halvings - 1)):
            place = halvings - level  # of the way up, from the bottleneck
            spread = dropout and 2 <= place <= halvings - 4
            block = Block(widths[level - 1], widths[level], block, norm, dropout=spread)
        self.model = Block(None, C, block, norm, ends=(inputs, outputs))

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
        layer, deepest = NORMS[norm], C * 2**halvings
        parts = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, C, 7, bias=bias), layer(C), nn.ReLU()]
        for width in (C * 2**level for level in range(halvings)):
            parts += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), layer(2 * width), nn.ReLU()]
        parts += [Bypassed(deepest, norm, bias, dropout) for _ in range(blocks)]
        for width in (C * 2**level for level in reversed(range(halvings))):
            up = nn.ConvTranspose2d(2 * width, width, 3, 2, 1, output_padding=1, bias=bias)
            parts += [up, layer(width), nn.ReLU()]
        self.model = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(C, 3, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class Sequence(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.model = nn.Sequential(*(part for part in parts if part))

    def forward(self, x):
        return self.model(x)


class Levels(nn.Module):
    """eriklindernoren's U-Net, of any depth."""

    def __init__(self, halvings=8):
        super().__init__()
        widths = [3] + [C * min(2**level, 8) for level in range(halvings)]
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
            nn.Upsample(scale_factor=2), pad, nn.Conv2d(2 * C, 3, 4, padding=1), nn.Tanh()
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
    widths = [3] + [C * min(2**level, 8) for level in range(halvings)]
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


def save_johnson(path):
    """A network of pytorch/examples with torch's own random values, saved as such."""
    torch.manual_seed(0)
    network = Numbered()
    torch.save(network.state_dict(), path)
    return network


def save_unet(path, halvings=5):
    """A U-Net of junyanz's likewise."""
    torch.manual_seed(0)
    network = Nested(halvings)
    torch.save(network.state_dict(), path)
    return network
