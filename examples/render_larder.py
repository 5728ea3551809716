"""The shapes and surfaces of the still life.

A shape maps points `[3, N]` to distances `[N]`; a surface maps them to albedo `[N, 3]`, gloss, metal and
translucency.
"""

import numpy as np
from noise import banded, fractal, value3
from render_fields import Profile
from render_light import color, mix, smoothstep
from render_rays import dot

UPRIGHT = np.eye(3, dtype=np.float32)


def at(*xyz: float):
    """A float32 point."""
    return np.array(xyz, np.float32)


def cloudy(p, scale, octaves: int = 5, seed: int = 0):
    """Fractal value noise of points `[3, N]`; `scale` divides each axis."""
    x, y, z = (c / np.float32(s) for c, s in zip(p, scale, strict=True))
    return banded(lambda a, b, c: fractal(value3, a, b, c, octaves=octaves, seed=seed), x, y, z)


APPLE = Profile(
    [(0, 0.16), (0.22, 0.02), (0.62, 0.0), (0.98, 0.55), (0.98, 1.15), (0.66, 1.62), (0.24, 1.58), (0, 1.12)]
)
PEAR = Profile(
    [(0, 0.06), (0.4, -0.05), (0.95, 0.15), (1.02, 0.95), (0.62, 1.45), (0.42, 2.0), (0.32, 2.42), (0, 2.36)]
)
LEMON = Profile(
    [
        (0, -1.12),
        (0.16, -1.08),
        (0.28, -0.9),
        (0.78, -0.62),
        (0.92, 0),
        (0.78, 0.62),
        (0.28, 0.9),
        (0.16, 1.1),
        (0, 1.14),
    ]
)
BOTTLE = Profile(
    [
        (0, 0.25),
        (0.72, 0.0),
        (0.92, 0.02),
        (0.94, 0.3),
        (0.93, 3.7),
        (0.93, 4.3),
        (0.42, 4.7),
        (0.33, 5.3),
        (0.31, 6.4),
        (0.41, 6.42),
        (0.41, 6.75),
        (0.33, 6.8),
        (0, 6.8),
    ],
    3,
)
JUG = Profile(
    [
        (0, 0.0),
        (0.95, 0.0),
        (1.08, 0.0),
        (1.05, 0.25),
        (1.75, 1.0),
        (1.75, 2.1),
        (1.0, 2.8),
        (0.78, 3.3),
        (0.92, 3.85),
        (1.16, 4.15),
        (1.10, 4.22),
        (0.80, 3.85),
        (0.66, 3.3),
        (0.7, 2.9),
        (0, 2.6),
    ]
)
BOWL = Profile(
    [
        (0, 0.12),
        (0.7, 0.12),
        (0.95, -0.05),
        (1.1, 0.1),
        (1.15, 0.3),
        (2.0, 0.62),
        (2.55, 1.2),
        (2.8, 1.75),
        (2.84, 1.86),
        (2.74, 1.86),
        (2.45, 1.3),
        (1.9, 0.78),
        (1.0, 0.45),
        (0, 0.40),
    ]
)


def ball(radius: float):
    """Distance to a ball at the origin."""
    return lambda p: np.sqrt(dot(p, p)) - np.float32(radius)


def rod(start, end, radius: float):
    """Distance to a rod with round ends."""
    a, along = at(*start)[:, None], (at(*end) - at(*start))[:, None]
    return lambda p: (
        np.sqrt(((p - a - np.clip(dot(p - a, along) / dot(along, along), 0, 1) * along) ** 2).sum(0)) - radius
    )


def union(*parts):
    """Distance to the nearest of several."""
    return lambda p: np.min([part(p) for part in parts], axis=0)


def half(whole):
    """The lower half of a solid, cut at y = 0."""
    return lambda p: np.maximum(whole(p), p[1])


def handle(p):
    """The jug's handle: a ring in the x-y plane, kept outside the body."""
    x, y = (p[0] - 1.45) / 0.85, p[1] - 2.75
    ring = np.hypot(np.hypot(x, y) - 1.0, p[2] / 1.25) - 0.16
    return np.maximum(ring, 1.0 - p[0]) * 0.8


def bunch(count: int, spread, radius: float, seed: int):
    """Grapes dropped into a heap: their middles `[count, 3]`."""
    rng, placed = np.random.default_rng(seed), []
    while len(placed) < count:
        x, z = rng.normal(0, spread[0]), rng.normal(0, spread[1])
        under = [(py, (px - x) ** 2 + (pz - z) ** 2) for px, py, pz in placed]
        under = [(py, flat) for py, flat in under if flat < 3.4 * radius**2]
        y = max([radius] + [py + np.sqrt(3.4 * radius**2 - flat) for py, flat in under])
        if y < 1.02 * radius or (y < 2.6 * radius and len(under) > 2):
            placed.append((x, y, z))
    return np.array(placed, np.float32)


def grapes(middles, radius: float):
    """Distance to a bunch."""
    return lambda p: np.min([np.sqrt(((p - m[:, None]) ** 2).sum(0)) for m in middles], axis=0) - radius


def table(p):
    """A thick board; its front edge is at z = -3.6."""
    q = np.abs(p - at(0, -0.6, 3.2)[:, None]) - at(13, 0.55, 6.8)[:, None]
    return np.sqrt((np.maximum(q, 0) ** 2).sum(0)) + np.minimum(q.max(0), 0) - 0.05


def cloth(p):
    """Linen laid over the table and hanging in folds over its front edge."""
    x, y, z = p
    hang = smoothstep(-2.9, -4.0, z)
    skew = x + 0.25 * (z + 3)
    pleat = np.sin(2.1 * skew + 0.8 * np.sin(1.3 * skew)) * 0.30 + np.sin(4.7 * skew + 1.0 + 0.5 * y) * 0.10
    crease = (
        0.13 * np.sin(1.1 * x + 1.9 * z + 0.8 * np.sin(0.9 * x - 0.7 * z)) * np.sin(0.8 * z - 0.5 * x + 1)
    )
    wave = pleat * hang * (0.6 + 0.5 * np.clip(-y, 0, 2)) + (crease + 0.03 * np.sin(5 * skew + 2 * z)) * (
        1 - hang
    )
    edge = 0.25 * np.sin(0.9 * z)
    q = np.abs(np.stack([x + 2.3 + edge, y + 1.47, z + 0.6])) - at(4.3, 1.52, 3.35)[:, None]
    box = np.sqrt((np.maximum(q, 0) ** 2).sum(0)) + np.minimum(q.max(0), 0)
    return (box - 0.10 - 0.5 * wave) * 0.6


def wall(p):
    """The plaster behind."""
    return np.float32(8.5) - p[2]


def skin(low, high, gloss: float = 0.5, clear: float = 0.0, freckle: float = 0.1, size=(0.5, 0.5, 0.5)):
    """Fruit between two colours, freckled."""

    def material(p):
        tint = cloudy(p, size, seed=3)
        spots = smoothstep(0.35, 0.6, cloudy(p, (0.07, 0.07, 0.07), 2, seed=5))
        base = (
            mix(np.broadcast_to(low, (tint.size, 3)), high, 0.5 + 0.8 * tint)
            * (1 - freckle * 3 * spots)[:, None]
        )
        return base, gloss, 0.0, clear

    return material


def apple_skin(p):
    """Red streaks over yellow, from pole to pole."""
    angle = np.arctan2(p[2], p[0])
    streaks = cloudy(np.stack([np.cos(angle), 0.12 * p[1], np.sin(angle)]), (0.10, 0.10, 0.10), 4, seed=11)
    blush = cloudy(p, (1.1, 1.1, 1.1), 3, seed=12)
    red = smoothstep(-0.6, 0.5, 0.40 * streaks + 1.0 * blush + 0.38)
    base = mix(np.broadcast_to(color(216, 158, 56), (angle.size, 3)), color(150, 18, 20), red)
    navel = smoothstep(0.35, 0.1, np.hypot(p[0], p[2])) * (p[1] > 0.6)
    return mix(base, color(150, 140, 50), navel * 0.8), 0.7, 0.0, 0.0


def cut_lemon(p):
    """Flesh in segments on the cut face, peel around."""
    radius, angle = np.hypot(p[0], p[2]) / 0.88, np.arctan2(p[2], p[0])
    wedge = np.abs((angle / (2 * np.pi) * 9) % 1 - 0.5)
    cells = cloudy(
        np.stack([np.cos(angle) * 4, radius * 1.2, np.sin(angle) * 4]), (0.4, 0.4, 0.4), 3, seed=15
    )
    flesh = mix(color(236, 196, 70), color(250, 228, 140), 0.5 + 0.6 * cells)
    pith = np.maximum(
        np.maximum(smoothstep(0.44, 0.48, wedge), smoothstep(0.84, 0.89, radius)),
        smoothstep(0.12, 0.07, radius),
    )
    face = mix(flesh, color(246, 236, 196), pith)
    face = mix(face, color(238, 184, 30), smoothstep(0.95, 0.98, radius))
    return (
        mix(np.broadcast_to(color(236, 178, 24), face.shape), face, (p[1] > -0.02).astype(np.float32)),
        0.5,
        0.0,
        0.25,
    )


def orange_peel(p):
    """Bright peel with a green star."""
    base, *_ = skin(color(232, 108, 16), color(246, 142, 30), freckle=0.05)(p)
    star = smoothstep(0.12, 0.05, np.hypot(p[0], p[2])) * (p[1] > 0)
    return mix(base, color(70, 80, 30), star), 0.45, 0.0, 0.05


def grape_skin(p):
    """Dark blue-red skin under pale bloom."""
    bloom = smoothstep(-0.1, 0.5, cloudy(p, (0.35, 0.35, 0.35), 4, seed=21))
    base = mix(np.broadcast_to(color(62, 14, 40), (bloom.size, 3)), color(112, 98, 138), 0.38 * bloom)
    return base, 0.75 - 0.35 * bloom, 0.0, 0.35


def green_glass(p):
    """Bottle glass, with a paper label."""
    angle = np.arctan2(p[2], p[0]) + 1.75
    label = smoothstep(0.72, 0.70, np.abs(angle)) * smoothstep(0.86, 0.84, np.abs(p[1] - 2.3))
    lines = smoothstep(0.10, 0.05, np.abs(np.abs(p[1] - 2.3) - 0.68)) + smoothstep(
        0.12, 0.08, np.abs(p[1] - 2.6)
    ) * (np.abs(angle) < 0.45)
    stain = cloudy(p, (0.6, 0.6, 0.6), seed=31)
    paper = mix(
        color(214, 190, 142) * (1 + 0.25 * stain)[:, None], color(112, 40, 30), np.clip(lines, 0, 1) * 0.85
    )
    base = mix(np.broadcast_to(color(16, 36, 18), paper.shape), paper, label)
    foil = smoothstep(5.55, 5.6, p[1])
    return (
        mix(base, color(98, 22, 24), foil),
        1.0 - 0.9 * label - 0.5 * foil,
        0.0,
        0.9 * (1 - label) * (1 - foil),
    )


def porcelain(p):
    """White glaze with blue garlands."""
    angle = np.arctan2(p[2], p[0])
    out = smoothstep(0.2, 0.6, p[1])
    vine = np.abs(p[1] - 1.05 - 0.16 * np.sin(angle * 9))
    leaf = np.hypot((angle * 9 / np.pi) % 1 - 0.5, (p[1] - 1.05 - 0.22 * np.cos(angle * 9)) * 2.2)
    ink = np.maximum(smoothstep(0.06, 0.03, vine), smoothstep(0.26, 0.20, leaf))
    ink = np.maximum(ink, smoothstep(0.05, 0.03, np.abs(p[1] - 1.70))) * out
    ink = np.maximum(ink, smoothstep(0.04, 0.02, np.abs(p[1] - 0.48)))
    wash = 0.75 + 0.3 * cloudy(p, (0.3, 0.3, 0.3), seed=41)
    base = mix(
        np.broadcast_to(color(226, 222, 210), (angle.size, 3)), color(28, 56, 128), np.clip(ink * wash, 0, 1)
    )
    return base, 0.8, 0.0, 0.0


def copper(p):
    """Hammered copper with brown tarnish."""
    tarnish = smoothstep(-0.1, 0.6, cloudy(p, (0.8, 0.5, 0.8), seed=51))
    base = mix(np.broadcast_to(color(226, 132, 86), (tarnish.size, 3)), color(98, 52, 34), 0.65 * tarnish)
    return base, 0.8 - 0.3 * tarnish, 0.9 - 0.35 * tarnish, 0.0


def linen(p):
    """Bleached cloth with a woven blue border."""
    x, y, z = p
    weave = 0.5 + 0.25 * np.sin(x * 95) + 0.25 * np.sin((y - z) * 95)
    stain = cloudy(p, (1.2, 1.2, 1.2), seed=61)
    base = mix(
        np.broadcast_to(color(206, 196, 176), (x.size, 3)),
        color(232, 224, 206),
        0.4 * weave + 0.5 + 0.4 * stain,
    )
    across = x + 2.3 + 0.25 * np.sin(0.9 * z)
    stripe = smoothstep(0.16, 0.13, np.abs(np.abs(across) - 3.5)) + smoothstep(
        0.05, 0.03, np.abs(np.abs(across) - 3.1)
    )
    return mix(base, color(52, 78, 128), np.clip(stripe, 0, 1) * (0.6 + 0.3 * weave)), 0.0, 0.0, 0.0


def wood(p):
    """Old walnut boards with grain along x."""
    x, y, z = p
    board = np.floor((z + 20) / 2.3)
    warp = cloudy(np.stack([x + board * 7, y, z]), (6, 1.5, 1.5), 3, seed=71)
    rings = np.sin((z + board * 3.7 + 0.9 * warp) * 9 + y * 4)
    fibre = cloudy(np.stack([x + board * 5, y, z]), (2.5, 0.06, 0.06), 4, seed=73)
    base = mix(
        np.broadcast_to(color(62, 38, 24), (x.size, 3)),
        color(124, 80, 50),
        np.clip(0.45 + 0.13 * rings + 0.5 * fibre, 0, 1),
    )
    gap = smoothstep(0.05, 0.01, np.abs(((z + 20) / 2.3) % 1 * 2.3 - 1.15) - 1.11 + 0.04)
    tint = 0.8 + 0.3 * ((board * 0.37) % 1)
    return base * (tint * (0.25 + 0.75 * gap))[:, None], 0.45 + 0.2 * fibre, 0.0, 0.0


def plaster(p):
    """An old painted wall."""
    stain = cloudy(p, (4, 3, 4), 7, seed=81)
    fine = cloudy(p, (0.4, 0.4, 0.4), 4, seed=82)
    base = mix(np.broadcast_to(color(138, 122, 98), (stain.size, 3)), color(98, 100, 94), 0.5 + 0.55 * stain)
    return base * (1 + 0.10 * fine)[:, None], 0.0, 0.0, 0.0


def stem(p):
    """Dry brown stalk."""
    return np.broadcast_to(color(74, 50, 28), (p.shape[1], 3)), 0.1, 0.0, 0.0


def steel(p):
    """A worn blade."""
    scratch = cloudy(p, (0.9, 0.05, 0.05), 3, seed=95)
    return (
        np.broadcast_to(color(176, 178, 180), (p.shape[1], 3)) * (1 + 0.2 * scratch)[:, None],
        0.9,
        0.9,
        0.0,
    )


def blade(p):
    """A table knife's blade along x, rounded at the tip."""
    x, y, z = p
    q = np.stack(
        [
            np.abs(x) - 1.35,
            np.abs(y) - 0.015,
            np.abs(z + 0.05 * (x + 1.35)) - 0.17 * np.sqrt(np.clip(1.36 - x, 0.02, 0.5) * 2),
        ]
    )
    return (np.sqrt((np.maximum(q, 0) ** 2).sum(0)) + np.minimum(q.max(0), 0) - 0.012) * 0.7


def leaf_green(p):
    """A green leaf."""
    vein = smoothstep(0.05, 0.0, np.abs(p[2])) * 0.4
    return mix(np.broadcast_to(color(62, 92, 30), (p.shape[1], 3)), color(150, 160, 80), vein), 0.35, 0.0, 0.3


def leaf(p):
    """A thin curved blade along x."""
    x, y, z = p
    width = 0.42 * np.sqrt(np.maximum(1 - (x / 0.95) ** 2, 0)) * (1 - 0.25 * x)
    lift = y - 0.22 * z * z - 0.12 * x * x
    return np.maximum(np.maximum(np.abs(lift) - 0.02, np.abs(z) - width), np.abs(x) - 0.95) * 0.6
