"""Painting texture from noise with a trained network, where there is room for it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from styler.device import Form, form_for
from styler.errors import DeviceError
from styler.image.size import SMALLEST, Size, fit
from styler.networks.texture import TextureNetwork
from styler.options.fast import FastOptions
from styler.tasks.onepass import is_shortage, room_for, too_large

MAPS = 10
"""Maps of the finest scale alive at once, as measured on a CPU: 7 to 10."""


def sample(network: TextureNetwork, mix: Tensor, size: Size, options: FastOptions, form: Form) -> Tensor:
    """Texture of `size` as an Image, float32 [1, 3, H, W] on the CPU, clamped; the same for the same seed.

    Args:
        network: on the device of `mix`.
        mix: weights of the styles, [1, S].
        size: height and width in pixels.
        options: `seed` and `memory` are obeyed.
        form: the number type and memory format to compute in.

    Raises:
        DeviceError: if memory will not do, with a size that would.
    """
    room, needed = room_for(options, mix.device), memory(network, size, form.dtype)
    if needed > room:
        height, width = possible(network, size, room, form)
        raise DeviceError(
            f"{too_large(size[1], size[0])}: it takes {needed / 1e9:.2f} GB of memory, and it may take "
            f"{room / 1e9:.2f} GB; use --size {width}x{height}"
        )
    try:
        with torch.inference_mode():
            return network.sample(*size, mix, options.seed, form).float().cpu()
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        raise DeviceError(f"{too_large(size[1], size[0])}: use a smaller --size") from error


def form_of(options: FastOptions, place: torch.device) -> Form:
    """The number type asked for; float32 if none is: one texture is too little work to compare them."""
    return form_for("bfloat16" if options.precision == "bfloat16" else "float32", place)


def memory(network: TextureNetwork, size: Size, dtype: torch.dtype) -> int:
    """Bytes that a sample takes at its peak, the weights left out."""
    height, width = (math.ceil(side / network.stride) * network.stride for side in size)
    return MAPS * network.config.channels * network.config.scales * dtype.itemsize * height * width


def possible(network: TextureNetwork, size: Size, room: float, form: Form) -> Size:
    """The height and width of about the largest texture of the same aspect for which there is room."""
    side, fitting = max(size), size
    while side > SMALLEST and memory(network, fitting, form.dtype) > room:
        side = side * 19 // 20
        fitting = fit(size, side)
    return fitting
