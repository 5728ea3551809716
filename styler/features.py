"""Feature extraction: activations of a frozen VGG by layer name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.device import Form
from styler.errors import InputError
from styler.networks.vgg import (
    TORCHVISION,
    WINDOWS,
    Convolution,
    Normalization,
    ReceptiveField,
    Typical,
    check_convolutions,
    layer_names,
    receptive_fields,
)
from styler.options.shared import Padding, Pooling

Features = dict[str, Tensor]
"""Layer name -> activation [N, C, H, W]; the key "image" is the input itself."""

ReluRule = Literal["gradient", "guided", "deconv"]

Border = Literal[Padding, "circular"]
"""Padding of convolutions; circular is that of a picture that repeats itself."""


CONTENT_WEIGHT = 0.05
"""Weight of the content for a network that brings none of its own."""

_PARTS = ("weight", "bias", "backward")


class Extractor(nn.Module):
    """A frozen VGG with its own normalization; `extractor(image, layers)` gives Features.

    Args:
        network: one of `networks.vgg.BLOCKS`.
        convolutions: the network's first layers in order; channel widths are read from the tensors.
        normalization: of the weights' training data.
        padding: how the weights were trained, the default of each call.
        typical: figures of its layers on photos, as far as they are known.
        content_weight: of the content, where photo and style are both to be seen.

    Weights are buffers, never parameters: nothing trains them by accident, no gradient is made for them.
    """

    classes = ""
    mean: Tensor
    std: Tensor
    form: Form | None = None

    def __init__(
        self,
        network: str,
        convolutions: Mapping[str, Convolution],
        normalization: Normalization = TORCHVISION,
        padding: Padding = "zero",
        typical: Mapping[str, Typical] | None = None,
        content_weight: float = CONTENT_WEIGHT,
    ) -> None:
        super().__init__()
        check_convolutions(network, convolutions)
        self.network, self.normalization, self.padding = network, normalization, padding
        self.typical, self.content_weight = dict(typical or {}), content_weight
        for name, (weight, bias) in convolutions.items():
            kernel = weight.detach().float().contiguous()
            self.register_buffer(f"{name}_weight", kernel)
            self.register_buffer(f"{name}_backward", kernel.flip(2, 3).transpose(0, 1).contiguous())
            self.register_buffer(f"{name}_bias", bias.detach().float().contiguous())
        self.register_buffer("mean", torch.tensor(normalization.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(normalization.std).view(1, 3, 1, 1))
        deepest = list(convolutions)[-1]
        every = layer_names(network)
        following = every.index(deepest) + 2  # its ReLU comes with it, and the pooling where one follows
        self.layers = every[: following + (every[following : following + 1] == (f"pool{deepest[4]}",))]

    def forward(
        self,
        image: Tensor,
        layers: Iterable[str],
        *,
        pooling: Pooling = "max",
        padding: Border | None = None,
        relu_rule: ReluRule = "gradient",
    ) -> Features:
        """Activations of an Image [N, 3, H, W] at `layers`, computed no deeper than the deepest of them.

        Raises InputError for an unknown layer, or for an image too small for it.
        """
        return dict(self.walk(image, layers, pooling=pooling, padding=padding, relu_rule=relu_rule))

    def walk(
        self,
        image: Tensor,
        layers: Iterable[str],
        *,
        pooling: Pooling = "max",
        padding: Border | None = None,
        relu_rule: ReluRule = "gradient",
    ) -> Iterator[tuple[str, Tensor]]:
        """Yield activations shallow to deep, each as soon as it is computed; arguments as of a call.

        Autograd goes back through losses of an activation that are computed before the next one only when the
        deeper layers are done: so the gradients of all layers need not exist at the same time.
        """
        names = set(layers)
        needed = self.needed(names)
        _check_size(image, needed)
        if "image" in names:
            yield "image", image
        x = self.normalize(image)
        if self.form:
            x = self.form(x)
        for name in needed:
            if name.startswith("conv"):
                weight, bias, backward = (getattr(self, f"{name}_{part}") for part in _PARTS)
                x = convolve(x, weight, bias, backward, padding or self.padding)
            elif name.startswith("relu"):
                # In place, unless the activation before it is yielded too.
                x = rectify(x, relu_rule, in_place=name.replace("relu", "conv") not in names)
            else:
                x = pool(x, pooling)
            if name in names:
                yield name, x.float() if self.form else x

    def compute_in(self, form: Form) -> Extractor:
        """Let the network compute in that number type and layout; its activations are float32 all the same.

        The picture is normalized in float32. Returns the network itself.
        """
        self.form = form
        for name, kernel in self.named_buffers():
            if name.startswith("conv"):
                setattr(self, name, form(kernel) if kernel.dim() == 4 else kernel.to(form.dtype))
        return self

    def normalize(self, image: Tensor) -> Tensor:
        """Normalize an Image to the range, scale and channel order of the weights."""
        x = (image - self.mean) / self.std
        return x.flip(1) if self.normalization.order == "bgr" else x

    def widths(self) -> dict[str, int]:
        """Layer name -> number of channels."""
        channels, widths = 3, {"image": 3}
        for name in self.layers:
            if name.startswith("conv"):
                channels = len(getattr(self, f"{name}_bias"))
            widths[name] = channels
        return widths

    def receptive_fields(self) -> dict[str, ReceptiveField]:
        """Layer name -> the pixels that its units see."""
        return receptive_fields({name: WINDOWS[name[:4]] for name in self.layers})

    def smallest(self, layer: str) -> int:
        """Shortest side in pixels of a picture that the layer can see: each pooling halves."""
        return 1 << sum(name.startswith("pool") for name in self.needed({layer}))

    def until(self, layers: set[str]) -> Extractor:
        """Copy of the network up to the deepest of `layers`."""
        names = [name for name in self.needed(layers | {"conv1_1"}) if name.startswith("conv")]
        parts = {name: (self.get_buffer(f"{name}_weight"), self.get_buffer(f"{name}_bias")) for name in names}
        return Extractor(
            self.network, parts, self.normalization, self.padding, self.typical, self.content_weight
        )

    def needed(self, layers: set[str]) -> tuple[str, ...]:
        """Layers to compute for `layers`; raises InputError for one that the network does not have."""
        for name in sorted(layers - {"image"} - set(self.layers)):
            nearest = difflib.get_close_matches(name, self.layers, 3, 0.0)
            raise InputError(f"{self.network} has no layer '{name}'; nearest are {', '.join(nearest)}")
        return self.layers[: max((self.layers.index(name) + 1 for name in layers - {"image"}), default=0)]


def borderless(extractor: Extractor) -> Padding:
    """The network's own padding, or replication for zeros, which darken the border of a painted picture."""
    return "replicate" if extractor.padding == "zero" else extractor.padding


def _check_size(image: Tensor, needed: tuple[str, ...]) -> None:
    smallest = 2 ** sum(name.startswith("pool") for name in needed)
    if min(image.shape[-2:]) < smallest:
        h, w = image.shape[-2:]
        raise InputError(
            f"{w} x {h} pixels are too few for {needed[-1]}: it wants {smallest} a side at least"
        )


def convolve(x: Tensor, weight: Tensor, bias: Tensor, backward: Tensor, padding: Border) -> Tensor:
    """3x3 convolution that keeps the size; [N, C, H, W] -> [N, C', H, W], differentiable in `x` only.

    `backward` is the weight with its channels swapped and its kernels turned by half a circle.
    """
    # Reflection needs two pixels a side; with one, replication says the same.
    mode = "replicate" if padding == "reflect" and min(x.shape[-2:]) < 2 else padding
    y: Tensor = _FrozenConvolution.apply(x, weight, bias, backward, mode)
    return y


class _FrozenConvolution(torch.autograd.Function):
    """A convolution that keeps nothing for its backward pass but its weights.

    The gradient of a frozen convolution needs no input, so neither the padded copy nor the activation is
    kept: with reflection this halves the memory. The pass back is an ordinary convolution with the turned
    weights, on a CPU up to twice as fast as the general one, and folds the padding back at the border only.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, backward: Tensor, padding: Border
    ) -> Tensor:
        ctx.save_for_backward(backward)
        ctx.padding = padding
        if padding == "zero":
            return F.conv2d(x, weight, bias, padding=1)
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode=padding), weight, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        (gradient,) = gradients
        weight = weight.to(gradient.dtype)  # autocast may have made it bfloat16
        if ctx.padding == "zero":
            return F.conv2d(gradient, weight, padding=1), None, None, None, None
        padded = F.conv2d(gradient, weight, padding=2)
        return _fold(_fold(padded, -2, ctx.padding), -1, ctx.padding), None, None, None, None


def _fold(padded: Tensor, dim: int, padding: Border) -> Tensor:
    """Add the gradient of the padding's two lines to the lines that they were copied from; drop them."""
    last = padded.shape[dim] - 1
    inner = 2 if padding == "reflect" else 1
    sources = (last - 1, 1) if padding == "circular" else (inner, last - inner)
    padded.select(dim, sources[0]).add_(padded.select(dim, 0))
    padded.select(dim, sources[1]).add_(padded.select(dim, last))
    return padded.narrow(dim, 1, last - 1)


def pool(x: Tensor, kind: Pooling) -> Tensor:
    """2x2 pooling with stride 2; an odd last row or column is dropped, as in VGG."""
    if kind == "max":
        pooled: Tensor = _MaxPool.apply(x)
        return pooled
    if kind == "average":
        return F.avg_pool2d(x, 2)
    # The floor keeps the square root's gradient finite where all four values are 0.
    return F.avg_pool2d(x * x, 2).clamp_min(1e-12).sqrt()


class _MaxPool(torch.autograd.Function):
    """Equal to `F.max_pool2d(x, 2)`, ties included, but keeps no table of 8-byte places.

    It keeps `x` for the way back, which the ReLU before it keeps anyway, and looks for the places again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return _maxima(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        _, places = torch.ops.aten.max_pool2d_with_indices(x, 2)
        gradient: Tensor = torch.ops.aten.max_pool2d_with_indices_backward(
            gradients[0], x, [2, 2], [2, 2], [0, 0], [1, 1], False, places
        )
        return gradient


def _maxima(x: Tensor) -> Tensor:
    """The largest of each 2x2 pixels: first over pairs of rows, which lie together in memory."""
    height, width = x.shape[-2] // 2 * 2, x.shape[-1] // 2 * 2
    rows = torch.maximum(x[..., 0:height:2, :], x[..., 1:height:2, :])
    return torch.maximum(rows[..., 0:width:2], rows[..., 1:width:2])


def rectify(x: Tensor, rule: ReluRule, in_place: bool = False) -> Tensor:
    """ReLU whose backward pass follows `rule`.

    gradient: the derivative. deconv: only positive gradients pass, whatever the input was (Zeiler and Fergus
    2013). guided: both conditions at once (Springenberg et al. 2014).
    """
    if rule == "gradient":
        return F.relu(x, inplace=in_place)
    rectified: Tensor = _PositiveGradient.apply(x, rule == "guided")
    return rectified


class _PositiveGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, guided: bool) -> Tensor:
        y = x.clamp_min(0)
        if guided:
            ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        gradient = gradients[0].clamp_min(0)
        for y in ctx.saved_tensors:
            gradient = gradient * (y > 0)
        return gradient, None
