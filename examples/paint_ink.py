"""Paints `styles/ink.jpg`: a hilly landscape engraved in sepia ink, its hatching bent round every form."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from strokes import Array, colors, noise, save, smoothstep

Mask = NDArray[np.bool_]
Box = tuple[slice, slice]

SHAPE = (1560, 2048)
WHOLE = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))
PAPER, INK, WASH = colors("f4e4c2", "24150e", "b5793a")
SUN = (420.0, 1440.0, 118.0)  # y, x, radius
LIGHT = np.array([-0.48, 0.55, 0.68])  # towards the light: y, x, z
STARTS = (0.06, 0.42, 0.70)  # tone at which each set of lines begins


class Plate:
    """The engraver's plan: how dark each pixel is, which object it shows, and where the hatching runs.

    Lines of set k lie where `phase[k]` is a whole number plus a half; `rate[k]` is its change per pixel.
    """

    def __init__(self) -> None:
        self.tone = np.zeros(SHAPE, np.float32)
        self.label = np.zeros(SHAPE, np.int32)
        self.phase = np.zeros((3, *SHAPE), np.float32)
        self.rate = np.ones((3, *SHAPE), np.float32)

    def lay(self, box: Box, mask: Mask, tone: Array, first: Array, second: Array, spacing: float) -> None:
        """Puts an object in front: its tone, and two coordinates in pixels; it is hatched along both."""
        self.label[box][mask] = self.label.max() + 1
        self.tone[box][mask] = tone[mask]
        for k, lines in enumerate((first, second, 0.8 * (first + second))):
            phase = lines / spacing
            dy, dx = np.gradient(phase)
            self.phase[k][box][mask] = phase[mask]
            self.rate[k][box][mask] = np.hypot(dy, dx)[mask]


def grid(box: Box = WHOLE) -> tuple[Array, Array]:
    """Row and column of each pixel of a box."""
    y, x = np.mgrid[box].astype(np.float32)
    return y, x


def box_around(y: float, x: float, reach: float) -> Box:
    """The part of the canvas within `reach` of a point."""
    top, left = max(int(y - reach), 0), max(int(x - reach), 0)
    bottom, right = min(int(y + reach) + 1, SHAPE[0]), min(int(x + reach) + 1, SHAPE[1])
    return slice(top, max(bottom, top)), slice(left, max(right, left))


def lay_ball(
    plate: Plate,
    y: float,
    x: float,
    radius: float,
    spacing: float,
    tones: tuple[float, float],
    lobes: float = 0.0,
) -> None:
    """A ball (cloud, leaves, boulder) lit from the sun's side, hatched along its circles of latitude.

    `tones` are those of its lit and its dark side; `lobes` roughens its rim.
    """
    box = box_around(y, x, radius * 1.25)
    if box[0].stop - box[0].start < 3 or box[1].stop - box[1].start < 3:
        return
    rows, cols = grid(box)
    v, u = (rows - y) / radius, (cols - x) / radius
    angle = np.arctan2(v, u)
    r = np.hypot(u, v) / (1 + lobes * (np.sin(angle * 7 + x) + 0.6 * np.sin(angle * 12 + y)))
    z = np.sqrt(np.clip(1 - r * r, 0.02, 1))
    light = np.clip(LIGHT[0] * v + LIGHT[1] * u + LIGHT[2] * z, -0.2, 1)
    tone = tones[1] + (tones[0] - tones[1]) * smoothstep(-0.1, 0.95, light)
    across, down = 0.75 * v + 0.66 * u, 0.66 * v - 0.75 * u
    plate.lay(box, r < 1, tone, (down - 0.75 * z) * radius, (across + 0.75 * z) * radius, spacing)


def lay_sky(plate: Plate, rng: np.random.Generator) -> None:
    """Circles of light around the sun, darker away from it, crossed by level lines high up."""
    y, x = grid()
    wobble = 5 * noise(rng, SHAPE, 300) + 1.2 * noise(rng, SHAPE, 70)
    r = np.hypot(y - SUN[0], x - SUN[1])
    tone = np.maximum(0.2 + 0.44 * smoothstep(150, 1500, r) + 0.06 * noise(rng, SHAPE, 260, octaves=2), 0.16)
    level = y + 14 * np.sin(x / 190) + 6 * np.sin(x / 71 + y / 60)
    plate.lay(WHOLE, np.ones(SHAPE, bool), tone, r + wobble, level + wobble, 14)
    rays = np.arctan2(y - SUN[0], x - SUN[1]) / (2 * np.pi) * 32
    reach = SUN[2] * np.where(np.floor(rays) % 2, 0.55, 1.05)
    beam = np.abs(rays % 1 - 0.5) < 0.46 * (1 - (r - SUN[2]) / reach)
    plate.lay(WHOLE, beam, np.zeros(SHAPE, np.float32), r, level, 14)
    lay_ball(plate, SUN[0], SUN[1], SUN[2], 13, (0.11, 0.4))


def lay_clouds(plate: Plate, rng: np.random.Generator) -> None:
    """Heaps of round clouds: large puffs in the middle of a heap, small ones at its ends, flat below."""
    for cy, cx, span in (
        (250, 420, 330),
        (150, 1050, 230),
        (470, 960, 200),
        (330, 1880, 230),
        (560, 190, 230),
    ):
        puffs = []
        for _ in range(26):
            side = rng.uniform(-1, 1)
            radius = span * (0.36 - 0.22 * abs(side)) * rng.uniform(0.6, 1.15)
            rise = span * (0.62 - 0.5 * abs(side)) * rng.uniform(0, 1)
            puffs.append((cy - rise, cx + side * span, radius))
        for y, x, radius in sorted(puffs):
            lay_ball(plate, y, x, radius, 13, (0.1, 0.7), lobes=0.03)


def lay_mountains(plate: Plate, rng: np.random.Generator) -> None:
    """Peaks with a lit right face and a dark left one, each hatched down its own slope."""
    y, x = grid()
    crag = 16 * noise(rng, SHAPE, 60, octaves=3)
    for px, py, left, right in (
        (1130, 560, 0.62, 0.55), (210, 610, 0.6, 0.66), (1790, 600, 0.66, 0.6), (640, 520, 0.74, 0.8),
        (1450, 690, 0.55, 0.5), (330, 740, 0.5, 0.45), (930, 720, 0.5, 0.52),
    ):  # fmt: skip
        ridge = px + 34 * np.sin((y - py) / 60) + 0.12 * (y - py) + crag
        slope = np.where(x < px, left, right)
        body = y + 0.5 * crag > py + slope * np.abs(x - px) + 10 * np.sin(x / 37 + px)
        gully = 0.18 * np.sin((x - ridge) / 38 + 2.2 * np.sin(y / 70 + px))
        fade = 0.3 * smoothstep(0, 330, y - py)
        tone = np.where(x < ridge, 0.86, 0.3) + gully - fade
        down = np.where(x < ridge, 0.9 * x + 0.5 * y, 0.9 * x - 0.5 * y) + 0.4 * crag
        flank = np.where(x < ridge, y - 0.62 * x, y + 0.62 * x) + 0.3 * crag
        plate.lay(WHOLE, body, tone.astype(np.float32), down.astype(np.float32), flank.astype(np.float32), 13)


def lay_hill(plate: Plate, top: Array, x: Array, y: Array, tones: tuple[float, float], bulge: float) -> None:
    """A hill below the line `top`, darkest where it turns from the sun; its lines follow the crest."""
    depth = y - top
    slope = np.gradient(top, axis=1)
    tone = tones[0] + (tones[1] - tones[0]) * smoothstep(-0.35, 0.35, -slope) + 0.3 * np.exp(-depth / 26)
    first = depth + bulge * np.sin(x / 150 + depth / 90)
    second = x + 0.9 * depth * np.sign(bulge) + 30 * np.sin(depth / 80)
    plate.lay(WHOLE, depth > 0, tone - 0.04 * smoothstep(40, 260, depth), first, second, 14)


def lay_land(plate: Plate, rng: np.random.Generator) -> None:
    """Hills one behind another, rows of trees on them, ploughed land, and boulders in front."""
    y, x = grid()
    rough = 5 * noise(rng, SHAPE, 90, octaves=2)[:1]
    tops = (
        (840 - 90 * np.exp(-(((x - 600) / 330) ** 2)) + 34 * np.sin(x / 230) + rough, (0.12, 0.42), 16.0),
        (
            950 - 110 * np.exp(-(((x - 1640) / 360) ** 2)) + 30 * np.sin(x / 260 + 2) + rough,
            (0.1, 0.46),
            -20.0,
        ),
        (
            1080 - 100 * np.exp(-(((x - 240) / 400) ** 2)) + 34 * np.sin(x / 300 + 4) + rough,
            (0.12, 0.5),
            22.0,
        ),
    )
    for i, (top, tones, bulge) in enumerate(tops):
        lay_hill(plate, top, x, y, tones, bulge)
        lay_trees(plate, rng, top[0], 30 + 15 * i)
    lay_furrows(plate, 1195 + 24 * np.sin(x / 310 + 1) + rough, x, y)
    for cy, cx, radius in (
        (1440, 1790, 165),
        (1490, 1560, 92),
        (1500, 1955, 100),
        (1515, 760, 78),
        (1535, 880, 52),
    ):
        lay_ball(plate, cy, cx, radius, 14, (0.13, 1.0), lobes=0.015)


def lay_furrows(plate: Plate, top: Array, x: Array, y: Array) -> None:
    """Ploughed land: furrows that run to a vanishing point behind the hills, in dark and light strips."""
    near = np.maximum(y - 1060, 60)
    lane = (x - 1180) / near
    tone = 0.5 + 0.34 * np.sin(lane * 13) + 0.1 * np.sin(y / 23)
    first = lane * 330 + 4 * np.sin(y / 26)
    second = 330 * np.log(near) + 12 * np.sin(lane * 16)
    plate.lay(WHOLE, y > top, tone.astype(np.float32), first, second, 15)


def lay_trees(plate: Plate, rng: np.random.Generator, top: Array, size: float) -> None:
    """Round trees in loose rows along a crest and below it, back to front."""
    spots = []
    for x in np.arange(0, SHAPE[1], size * 1.7):
        if np.sin(x / 170 + size) > -0.35:
            spots.append((top[int(x)] + rng.uniform(-4, 8), x + rng.uniform(-8, 8), size))
        if rng.random() < 0.3:
            spots.append((top[int(x)] + rng.uniform(30, 90), x, size * 1.1))
    for y, x, reach in sorted(spots):
        radius = reach * rng.uniform(0.7, 1.25)
        lay_trunk(plate, y + radius * 0.9, x, y - radius * 0.2, x, radius * 0.16)
        for dy, dx, share in ((-0.2, 0.62, 0.55), (-0.3, -0.55, 0.6), (-1.1, 0.05, 0.66), (-0.45, 0.08, 0.7)):
            lay_ball(
                plate, y + (dy - 0.3) * radius, x + dx * radius, share * radius, 10, (0.08, 0.98), lobes=0.07
            )


def lay_trunk(plate: Plate, y0: float, x0: float, y1: float, x1: float, half: float) -> None:
    """A tapering limb from one point to another, `half` its width at the foot; its lines go round it."""
    length = max(float(np.hypot(y1 - y0, x1 - x0)), 1.0)
    box = box_around((y0 + y1) / 2, (x0 + x1) / 2, length / 2 + 2 * half)
    if box[0].stop - box[0].start < 3 or box[1].stop - box[1].start < 3:
        return
    y, x = grid(box)
    along = ((y - y0) * (y1 - y0) + (x - x0) * (x1 - x0)) / length
    across = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / length
    width = half * (1 - 0.35 * np.clip(along / length, 0, 1)) * (1 + 0.08 * np.sin(along / 13))
    u = across / width
    mask = (np.abs(u) < 1) & (along > -half * 0.6) & (along < length + half * 0.5)
    z = np.sqrt(np.clip(1 - u * u, 0.02, 1))
    tone = 0.6 + 0.42 * u + 0.12 * np.sin(along / 17 + 3 * u)
    plate.lay(
        box, mask, tone.astype(np.float32), along + 0.9 * width * z, across * 1.3 + 4 * np.sin(along / 19), 11
    )


def lay_great_tree(plate: Plate, rng: np.random.Generator) -> None:
    """An old oak in the foreground: limbs that fork four times, and leaves in clumps on the outer ones."""
    limbs: list[tuple[float, ...]] = []
    clumps: list[tuple[float, float, float]] = []
    grow(rng, limbs, clumps, 1530.0, 330.0, -1.52, 300.0, 62.0, 0)
    for y, x, radius in clumps[::2]:
        lay_ball(plate, y + 14, x + 10, radius * 1.1, 10, (0.4, 1.0), lobes=0.1)
    for limb in limbs:
        lay_trunk(plate, *limb)
    order = sorted(clumps, key=lambda clump: clump[0] + rng.uniform(-60, 60))
    for y, x, radius in order:
        lay_ball(plate, y, x, radius, 10.5, (0.1, 0.98), lobes=0.1)


def grow(
    rng: np.random.Generator,
    limbs: list[tuple[float, ...]],
    clumps: list[tuple[float, float, float]],
    y: float,
    x: float,
    angle: float,
    length: float,
    half: float,
    depth: int,
) -> None:
    """Adds a limb and what grows from its end to the lists of limbs and of leaf clumps."""
    y1, x1 = y + np.sin(angle) * length, x + np.cos(angle) * length
    limbs.append((y, x, y1, x1, half))
    if depth >= 2:
        clumps.extend((y1 + rng.normal(0, 26), x1 + rng.normal(0, 26), rng.uniform(26, 46)) for _ in range(3))
    if depth == 4:
        return
    for turn in rng.permutation([-0.62, 0.05, 0.58])[: 3 if depth < 2 else 2]:
        lean = angle + turn + rng.normal(0, 0.14)
        grow(rng, limbs, clumps, y1, x1, lean, length * rng.uniform(0.56, 0.74), half * 0.62, depth + 1)


def hatch(plate: Plate, rng: np.random.Generator) -> Array:
    """How much ink lies on each pixel, [0, 1]: lines as wide as the tone asks, crossed in the dark."""
    tone = plate.tone + 0.035 * noise(rng, SHAPE, 16, octaves=2)
    press = 1 + 0.14 * noise(rng, SHAPE, 22)
    drift = 0.09 * noise(rng, SHAPE, 40)
    ink = np.zeros(SHAPE, np.float32)
    for start, phase, rate in zip(STARTS, plate.phase, plate.rate, strict=True):
        pitch = 1 / np.maximum(rate, 1e-3)
        distance = np.abs((phase + drift) % 1 - 0.5) * np.minimum(pitch, 40)
        share = np.clip((tone - start) / 0.62, 0, 1) ** 0.8
        half = np.clip((0.09 + 0.24 * share) * np.clip(pitch, 6, 17), 0.9, 4.4) * press
        half = (half + 1) * smoothstep(0, 0.06, tone - start) * smoothstep(3.2, 5.0, pitch) - 1
        ink = np.maximum(ink, 1 - smoothstep(-0.8, 0.8, distance - half))
    return ink


def outlines(plate: Plate, rng: np.random.Generator) -> Array:
    """Contours between objects, [0, 1], swelling and thinning like a pen's."""
    seam = np.zeros(SHAPE, bool)
    seam[1:] |= plate.label[1:] != plate.label[:-1]
    seam[:, 1:] |= plate.label[:, 1:] != plate.label[:, :-1]
    distance = ndimage.distance_transform_edt(~seam)
    half = 1.5 + 0.7 * noise(rng, SHAPE, 50)
    return 1 - smoothstep(-0.8, 0.8, distance - half)


def paint() -> Array:
    """The finished canvas: ink on warm, fibrous paper, with a thin brown wash in the shadows."""
    rng = np.random.default_rng(21)
    plate = Plate()
    lay_sky(plate, rng)
    lay_clouds(plate, rng)
    lay_mountains(plate, rng)
    lay_land(plate, rng)
    lay_great_tree(plate, rng)
    ink = np.maximum(hatch(plate, rng), outlines(plate, rng))
    fibre = noise(rng, SHAPE, 4, octaves=2)
    ink = ndimage.gaussian_filter(ink, 0.7) * (0.93 - 0.06 * smoothstep(0.8, 2.2, fibre))
    pool = ndimage.gaussian_filter(np.clip(plate.tone, 0, 1), 5) + 0.10 * noise(rng, SHAPE, 90, octaves=3)
    wash = (0.5 * smoothstep(0.15, 1.05, pool))[..., None]
    stain = 1 + 0.018 * fibre + 0.022 * noise(rng, SHAPE, 330, octaves=3)
    sheet = (PAPER * (1 - wash) + WASH * wash) * stain[..., None]
    return np.clip(sheet * (1 - ink[..., None]) + INK * ink[..., None], 0, 1)


if __name__ == "__main__":
    save(paint(), "ink.jpg")
