"""Painting with a trained network of styles: photos in one pass, and texture from noise."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from styler.device import Form, form_for, room_for
from styler.errors import DeviceError, is_shortage
from styler.image import color
from styler.image.grain import STILL, Place, noise_for
from styler.image.size import SMALLEST, Size, fit, resize, size_of
from styler.networks.layers import Mode
from styler.networks.residual import ResidualNetwork
from styler.networks.texture import TextureNetwork
from styler.options.fast import FastOptions
from styler.tasks.onepass import GRAINING, OnePass, shortage, shrunk, too_large

_TEXTURE_SIDE = 512
"""Height and width in pixels of a texture of which no size is asked."""
_FLAT = 40
"""Bytes for each pixel that a photo takes at most while its flat places get grain; see GRAINING."""
_MAPS = 10
"""Maps of the finest scale alive at once in a texture network, as measured on a CPU: 7 to 10."""


def painter(network: nn.Module, mix: Tensor, options: FastOptions) -> OnePass:
    """One pass that paints photos.

    Args:
        network: a ResidualNetwork on the device of `mix`.
        mix: weights of the styles, [1, S].
        options: `style_scale`, `strength`, `color` and `colors_only` are obeyed.
    """
    assert isinstance(network, ResidualNetwork)

    def prepare(photo: Tensor) -> Tensor:
        photo = resize(photo, stroked(size_of(photo), options.style_scale))
        if options.color == "content-to-style" and not options.colors_only:
            # A network brings no picture of its style; what it paints has the colors of one.
            photo = color.match_colors(photo, plain.run(with_grain(shrunk(photo), grain)).clamp_(0, 1))
        return photo

    def finish(photo: Tensor, painted: Tensor) -> Tensor:
        painted = resize(painted.clamp_(0, 1), size_of(photo))
        if options.colors_only:
            painted = color.colors_only(photo, painted, options.color)
        else:
            painted = color.after(painted, photo, options.color)
        return torch.lerp(photo, painted, options.strength)

    mode, measures, grain = Mode(mix=mix), options.strength > 0, network.config.grain
    level = network.config.norm == "instance"
    plain = OnePass(network, mode, prepare=lambda photo: photo, finish=finish, measures=measures, level=level)

    def grained(x: Tensor, place: Place) -> Tensor:
        return with_grain(x, grain, place)

    return replace(plain, prepare=prepare, grained=grained, preparing=GRAINING if grain else _FLAT)


def with_grain(image: Tensor, amount: float, place: Place = STILL) -> Tensor:
    """An Image [1, 3, H, W] as a network of that grain paints it; without any, flat places get some."""
    return image + torch.from_numpy(noise_for(image[0].float().cpu().numpy(), amount, place)).to(image)


def stroked(size: Size, scale: float) -> Size:
    """(height, width) at which a picture is painted, so that its strokes become `scale` times as large."""
    if scale == 1:
        return size
    least = math.ceil(SMALLEST * max(size) / min(size))
    return fit(size, max(least, round(max(size) / scale)))


# Texture


def texture(network: nn.Module, mix: Tensor, size: Size, options: FastOptions) -> Tensor:
    """Texture from noise as an Image, float32 [1, 3, H, W] on the CPU, clamped; equal for equal seeds.

    Args:
        network: a TextureNetwork on the device of `mix`.
        mix: weights of the styles, [1, S].
        size: height and width in pixels.
        options: `seed`, `memory` and `precision` are obeyed.

    Raises:
        DeviceError: if memory does not suffice, with a size for which it would.
    """
    assert isinstance(network, TextureNetwork)
    form, room = texture_form(options, mix.device), room_for(options.memory, mix.device)
    needed = texture_memory(network, size, form.dtype)
    if needed > room:
        height, width = _possible(network, size, room, form)
        raise DeviceError(f"{too_large(size)}: {shortage(needed, room)}; use --size {width}x{height}")
    try:
        with torch.inference_mode():
            return network.sample(*size, mix, options.seed, form).float().cpu()
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        raise DeviceError(f"{too_large(size)}: use a smaller --size") from error


def texture_size(options: FastOptions) -> Size:
    """(height, width) of a texture: exactly `size` if that is a box, else a square with that side."""
    side = _TEXTURE_SIDE if options.size is None else options.size
    return (side, side) if isinstance(side, int) else side


def texture_form(options: FastOptions, device: torch.device) -> Form:
    """Number type of textures: float32 unless asked otherwise, as one is too little work to compare them."""
    return form_for("bfloat16" if options.precision == "bfloat16" else "float32", device)


def texture_memory(network: TextureNetwork, size: Size, dtype: torch.dtype) -> int:
    """Bytes that a texture takes at its peak, the weights left out."""
    height, width = (math.ceil(side / network.stride) * network.stride for side in size)
    return _MAPS * network.config.channels * network.config.scales * dtype.itemsize * height * width


def _possible(network: TextureNetwork, size: Size, room: float, form: Form) -> Size:
    """Height and width of about the largest texture of the same aspect for which there is room."""
    side, smaller = max(size), size
    while side > SMALLEST and texture_memory(network, smaller, form.dtype) > room:
        side = side * 19 // 20
        smaller = fit(size, side)
    return smaller
