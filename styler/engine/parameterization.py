"""Parameterizations of an image that is optimized: pixels, a pyramid, halved chroma, spectra.

Each is a module with one parameter, whose call gives the Image. L-BFGS moves first what has the largest
gradient: of pixels that is fine detail, of a pyramid it is large forms and their colors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styler.image.size import Size, size_of

LEVELS = 4
"""Of a pyramid: the full size, a half, a quarter and an eighth."""
LUMA_GAIN = 1.3
"""How much farther the same step moves luma with each level of a pyramid."""
CHROMA_GAIN, CHROMA_DECAY = 0.7, 0.8
"""How far a step moves chroma, and how much less with each level."""
HALF_CHROMA_GAIN = 0.5
_SPREADS = 4
"""Rounds in which what was cut off is spread; the fifth changes a picture by less than a tenth of a level."""
_PROJECTIONS = 2
"""Corrections of an enlarged map, each of which leaves about a fifth of what is wrong with it."""

AXES = (
    (1 / math.sqrt(3), 1 / math.sqrt(3), 1 / math.sqrt(3)),
    (1 / math.sqrt(2), 0.0, -1 / math.sqrt(2)),
    (1 / math.sqrt(6), -2 / math.sqrt(6), 1 / math.sqrt(6)),
)
"""Orthonormal axes of RGB: luma, and two of chroma."""

_DECORRELATION = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
_LARGEST_COLUMN = math.sqrt(0.26**2 + 2 * 0.27**2)
"""Square root of the colors' covariance in ImageNet, and its largest column's norm (Olah et al. 2017)."""
_NOISE, _FLATTENING = 0.01, 4.0
"""Standard deviation of a random spectrum, and the divisor of what it makes: a start that is nearly gray."""


class Parameterization(nn.Module):
    """An image that is made of one parameter.

    Attributes:
        parameter: pixels, or maps of which the image is a linear function.
        bounded: whether the parameter is pixels, which a solver may keep in [0, 1].
    """

    parameter: nn.Parameter
    bounded = False

    def finished(self, image: Tensor) -> Tensor:
        """What this image has come to, in [0, 1]."""
        return image.clamp(0, 1)


class PixelImage(Parameterization):
    """An image [N, 3, H, W] whose parameter is its pixels.

    Kept contiguous and in [0, 1], where one step of L-BFGS or Adam is worth a visible change; not clamped
    while it is optimized, since a box would falsify L-BFGS's curvature. The finished picture is clamped.
    """

    bounded = True

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.parameter = nn.Parameter(start.detach().clone(memory_format=torch.contiguous_format))

    def forward(self) -> Tensor:
        """The image as it stands."""
        return self.parameter


class Planes(Parameterization):
    """Maps of several sizes in one flat parameter, each times its gains.

    Gains precondition: they make a step move some maps farther than others, and change no minimum.
    """

    def __init__(self, maps: Sequence[Tensor], gains: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.shapes = [map.shape for map in maps]
        rows = [maps[0].new_tensor(row).view(1, -1, 1, 1) for row in gains]
        for index, row in enumerate(rows):
            self.register_buffer(f"gain{index}", row)
        flat = [(map / row).flatten() for map, row in zip(maps, rows, strict=True)]
        self.parameter = nn.Parameter(torch.cat(flat))

    def maps(self) -> list[Tensor]:
        """The maps [N, C, H, W] as they stand."""
        pieces = torch.split(self.parameter, [shape.numel() for shape in self.shapes])
        shaped = [piece.view(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]
        return [map * self.get_buffer(f"gain{index}") for index, map in enumerate(shaped)]


class PyramidImage(Planes):
    """An image [N, 3, H, W] that is the sum of four levels, each half as large as the one before.

    The first level has luma alone: the losses hardly see color at the finest frequencies, and what they do
    not see comes out as specks. With `wrap` the picture repeats itself; its sides are multiples of 16 then.
    """

    def __init__(self, start: Tensor, wrap: bool = False) -> None:
        x, levels = on_axes(start.detach()), list[Tensor]()
        for _ in range(LEVELS - 1):
            coarser = halved(x, wrap)
            levels.append(x - enlarged(coarser, x, wrap=wrap))
            x = coarser
        chroma = [CHROMA_GAIN * CHROMA_DECAY**level for level in range(LEVELS)]
        gains = [[LUMA_GAIN**level, chroma[level], chroma[level]] for level in range(LEVELS)]
        super().__init__([levels[0][:, :1], *levels[1:], x], [gains[0][:1], *gains[1:]])
        self.wrap = wrap

    def forward(self) -> Tensor:
        """The image as it stands."""
        finest, *levels = self.maps()
        x = levels.pop()
        while levels:
            level = levels.pop()
            x = level + enlarged(x, level, wrap=self.wrap)
        x = enlarged(x, finest, wrap=self.wrap)
        return in_rgb(torch.cat([x[:, :1] + finest, x[:, 1:]], 1))


class HalfChromaImage(Planes):
    """An image [N, 3, H, W] of luma at full size and chroma at half of it, no place for specks."""

    def __init__(self, start: Tensor, wrap: bool = False) -> None:
        x = on_axes(start.detach())
        super().__init__([x[:, :1], halved(x[:, 1:], wrap)], [[1.0], [HALF_CHROMA_GAIN] * 2])
        self.wrap = wrap

    def forward(self) -> Tensor:
        """The image as it stands."""
        luma, chroma = self.maps()
        return in_rgb(torch.cat([luma, enlarged(chroma, luma, "bicubic", self.wrap)], 1))


class DetailImage(Planes):
    """An image [N, 3, H, W] that is a smaller one when it is shrunk, whatever the parameter: luma's detail.

    What the smaller image holds of luma is taken away from the parameter, and chroma is the smaller image's:
    neither forms nor colors that are settled can change, and no color comes out as specks.
    """

    def __init__(self, smaller: Tensor, size: Size) -> None:
        x = on_axes(smaller.detach())
        settled = _expanded(x[:, :1], size)
        super().__init__([torch.zeros_like(settled)], [[1.0]])
        self.register_buffer("settled", settled)
        self.register_buffer("luma", x[:, :1].contiguous())
        self.register_buffer("chroma", x[:, 1:].contiguous())

    def forward(self) -> Tensor:
        """The image as it stands."""
        (detail,) = self.maps()
        settled, small = self.get_buffer("settled"), size_of(self.get_buffer("luma"))
        luma = settled + detail - _expanded(_shrunk(detail, small), size_of(detail))
        return in_rgb(torch.cat([luma, enlarged(self.get_buffer("chroma"), luma, "bicubic")], 1))

    def finished(self, image: Tensor) -> Tensor:
        """What this image has come to, the smaller one when it is shrunk.

        What is cut off at 0 and 1 is spread over the pixels around in each channel: cut in one channel alone,
        strong detail would fade the color that it is in.
        """
        smaller = in_rgb(torch.cat([self.get_buffer("luma"), self.get_buffer("chroma")], 1))
        image = image.clamp(0, 1)
        for _ in range(_SPREADS):
            missing = smaller - _shrunk(image, size_of(smaller))
            image = (image + enlarged(missing, image, "bicubic")).clamp(0, 1)
        return image


_OFF = 2.5e-7
"""How far values stay off 0 and 1, where no sigmoid comes: four steps of float32 below 1."""


class FourierImage(Parameterization):
    """An image [1, 3, H, W] of spectra of three decorrelated colors, through a sigmoid (Olah et al. 2017).

    Each frequency is scaled as photos have it, so that a step moves large forms as well as fine ones.
    """

    def __init__(self, spectrum: Tensor, width: int) -> None:
        """Begin with a spectrum [1, 3, H, width // 2 + 1, 2], real and imaginary parts last."""
        super().__init__()
        self.size = (spectrum.shape[2], width)
        self.register_buffer("scale", _frequency_scale(self.size).to(spectrum))
        self.register_buffer("colors", _color_matrix().to(spectrum))
        self.parameter = nn.Parameter(spectrum.detach().clone())

    @classmethod
    def noise(cls, size: tuple[int, int], generator: torch.Generator) -> FourierImage:
        """A random image of (height, width) `size`."""
        height, width = size
        return cls(_NOISE * torch.randn(1, 3, height, width // 2 + 1, 2, generator=generator), width)

    @classmethod
    def of(cls, image: Tensor) -> FourierImage:
        """The parameterization of an Image; values are kept off 0 and 1, where no sigmoid comes."""
        plain = torch.linalg.solve(_color_matrix().to(image), image.clamp(_OFF, 1 - _OFF).logit().flatten(2))
        spectrum = torch.fft.rfft2(_FLATTENING * plain.view_as(image), norm="ortho")
        scale = _frequency_scale(size_of(image)).to(image)
        return cls(torch.view_as_real(spectrum) / scale, image.shape[-1])

    def forward(self) -> Tensor:
        """The image as it stands, in (0, 1)."""
        spectrum = torch.view_as_complex(self.parameter * self.get_buffer("scale"))
        x = torch.fft.irfft2(spectrum, self.size, norm="ortho") / _FLATTENING
        return F.conv2d(x, self.get_buffer("colors")[:, :, None, None]).sigmoid()


def _color_matrix() -> Tensor:
    return torch.tensor(_DECORRELATION) / _LARGEST_COLUMN


def _frequency_scale(size: tuple[int, int]) -> Tensor:
    """Reciprocal frequencies [H, W // 2 + 1, 1] of an image's spectrum, that of its mean as of the lowest."""
    rows, columns = torch.fft.fftfreq(size[0])[:, None], torch.fft.rfftfreq(size[1])
    frequency: Tensor = (rows.square() + columns.square()).sqrt().clamp_min(1 / max(size))
    return frequency.reciprocal()[..., None]


class Protected(Parameterization):
    """Another parameterization's image, which a mask [1, 1, H, W] mixes with the `photo`: 1 keeps that."""

    def __init__(self, image: Parameterization, photo: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.image, self.bounded, self.parameter = image, image.bounded, image.parameter
        self.register_buffer("photo", photo)
        self.register_buffer("mask", mask)

    def forward(self) -> Tensor:
        """The image as it stands."""
        return torch.lerp(self.image(), self.get_buffer("photo"), self.get_buffer("mask"))

    def finished(self, image: Tensor) -> Tensor:
        """What this image has come to; it is mixed with the photo already."""
        return self.image.finished(image)


def on_axes(image: Tensor) -> Tensor:
    """RGB [N, 3, H, W] on `AXES`: luma and two planes of chroma."""
    return F.conv2d(image, image.new_tensor(AXES)[:, :, None, None])


def in_rgb(x: Tensor) -> Tensor:
    """The inverse of `on_axes`."""
    return F.conv2d(x, x.new_tensor(AXES).T[:, :, None, None].contiguous())


def halved(x: Tensor, wrap: bool = False) -> Tensor:
    """Maps [N, C, H, W] at half the size, rounded up; with `wrap` of a picture that repeats itself."""
    if wrap:
        return inner(halved(wrapped(x, 4)), 2)
    return _shrunk(x, (-(-x.shape[-2] // 2), -(-x.shape[-1] // 2)))


def enlarged(x: Tensor, like: Tensor, mode: str = "bilinear", wrap: bool = False) -> Tensor:
    """Maps [N, C, h, w] at the size of others [N, C', H, W]; with `wrap` those are twice as large."""
    if wrap:
        x = F.interpolate(wrapped(x, 2), scale_factor=2, mode=mode, align_corners=False)
        return inner(x, 4)
    return F.interpolate(x, like.shape[-2:], mode=mode, align_corners=False)


def _expanded(x: Tensor, size: Size) -> Tensor:
    """Maps [N, C, h, w] enlarged so that shrinking gives them back (Irani and Peleg 1991)."""
    large = F.interpolate(x, size, mode="bicubic", align_corners=False)
    for _ in range(_PROJECTIONS):
        missing = x - _shrunk(large, size_of(x))
        large = large + F.interpolate(missing, size, mode="bicubic", align_corners=False)
    return large


def _shrunk(x: Tensor, size: Size) -> Tensor:
    """Maps at a smaller size, as `image.size.resize` makes it of pictures."""
    return F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)


def wrapped(x: Tensor, margin: int) -> Tensor:
    """Maps [N, C, H, W] with so many pixels of the opposite side around them."""
    return F.pad(x, (margin,) * 4, mode="circular")


def inner(x: Tensor, margin: int) -> Tensor:
    """Maps without so many pixels around them."""
    return x[..., margin:-margin, margin:-margin]
