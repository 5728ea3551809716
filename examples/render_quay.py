"""What lies by and stands on the quay of the harbour picture: boats, lamps, people, and their surfaces."""

import numpy as np
from noise import banded, cells, fractal, gradient2, scramble, uniform
from render_light import color, mix, smoothstep
from render_rays import Box, Capsule, Ellipsoid, Hull, Patch, dot, unit

QUAY = 1.5  # height above the water, metres
X, Y, Z = np.eye(3, dtype=np.float32)


def at(*xyz: float):
    """A float32 point."""
    return np.array(xyz, np.float32)


def plain(albedo, gloss: float = 0.0, grain: float = 0.15, size: float = 0.4):
    """A material: a colour with some grain. Materials map (shape, points, direction) to four fields."""

    def material(shape, points, direction):
        x, y, z = points / np.float32(size)
        noise = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=7), x + 0.7 * y, z + 0.6 * y)
        base = np.asarray(albedo, np.float32) * (1 + grain * noise)[:, None]
        return base, np.ones_like(x), np.zeros_like(base), np.full_like(x, gloss)

    return material


def glowing(light):
    """A material that only emits."""

    def material(shape, points, direction):
        emitted = np.broadcast_to(np.asarray(light, np.float32), (points.shape[1], 3))
        return emitted * 0, emitted[:, 0], emitted, emitted[:, 0] * 0

    return material


def striped(first, second, width: float):
    """Awning cloth."""

    def material(shape, points, direction):
        u, _ = shape.place(points)
        base = mix(
            np.broadcast_to(first, (u.size, 3)),
            second,
            smoothstep(0.48, 0.52, np.abs(u / width % 1 - 0.5) * 2),
        )
        return base, np.ones_like(u), np.zeros_like(base), np.zeros_like(u)

    return material


def cobbles(shape, points, direction):
    """Worn paving stones, darker in the joints."""
    distance, number = banded(lambda a, b: cells(a, b, 31), points[0] / 0.42, points[2] / 0.42)
    patch = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=33), points[0] / 3, points[2] / 3)
    base = mix(color(112, 100, 96), color(178, 158, 136), number) * (1 + 0.3 * patch)[:, None]
    base = base * (0.4 + 0.6 * smoothstep(0.62, 0.35, distance))[:, None]
    return base, np.ones_like(number), np.zeros_like(base), 0.10 + 0.15 * smoothstep(0.0, 0.5, patch)


def stone_wall(shape, points, direction):
    """Granite blocks, wet and green near the water."""
    u, v = shape.place(points)
    row = np.floor(v / 0.42)
    across = u / 1.15 + 0.5 * (row % 2)
    joint = np.minimum(smoothstep(0, 0.05, across % 1), smoothstep(0, 0.10, v / 0.42 % 1))
    grain = banded(lambda a, b: fractal(gradient2, a, b, octaves=6, seed=41), u * 1.4, v * 2.2)
    tint = uniform(scramble(np.floor(across), row, seed=43))
    base = (
        mix(color(104, 94, 88), color(168, 146, 124), tint)
        * (0.45 + 0.55 * joint)[:, None]
        * (1 + 0.4 * grain)[:, None]
    )
    weed = smoothstep(0.75, 0.25, points[1] + 0.35 * grain)
    base = mix(base, color(40, 52, 34), weed * 0.9)
    return base, np.ones_like(u), np.zeros_like(base), 0.25 * weed


def tiles(seed: int):
    """Roof tiles in rows."""

    def material(shape, points, direction):
        u, v = shape.place(points)
        row, tint = v / 0.30, uniform(scramble(np.floor(u / 0.24), np.floor(v / 0.30), seed=seed))
        old = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=seed), u / 1.5, v / 1.5)
        red = mix(color(126, 62, 44), color(84, 66, 62), float(seed % 3 == 0))
        base = red * ((0.55 + 0.5 * (row % 1)) * (0.7 + 0.5 * tint) * (1 + 0.3 * old))[:, None]
        return base, np.ones_like(u), np.zeros_like(base), np.full_like(u, 0.05)

    return material


def painted_hull(body, stripe):
    """Planks in two colours under a wooden gunwale, and boards inside."""

    def material(shape, points, direction):
        across, up, forward = shape.local(points)
        below = shape.sheer(forward) - up
        grain = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=51), forward * 1.2, up * 14)
        base = np.where((up < 0.10)[:, None], color(96, 34, 28), body)
        base = np.where((np.abs(up - 0.12) < 0.03)[:, None], color(226, 216, 200), base)
        base = np.where((np.abs(below - 0.17) < 0.045)[:, None], stripe, base)
        plank = 0.82 + 0.18 * smoothstep(0, 0.12, (below / 0.16) % 1)
        wood = color(168, 108, 58) * (0.75 + 0.35 * smoothstep(0, 0.1, (across / 0.14) % 1))[:, None]
        wooden = (below < 0.09) | (dot(shape.normal(points, direction), Y) > 0.55)
        base = np.where(wooden[:, None], wood, base * plank[:, None]) * (1 + 0.22 * grain)[:, None]
        return base, np.ones_like(up), np.zeros_like(base), np.full_like(up, 0.22)

    return material


def awning(corner, along, back, width: float, i: int):
    """A striped cloth over a shop window."""
    dyes = (
        (color(176, 40, 34), color(232, 220, 200)),
        (color(34, 84, 76), color(226, 216, 190)),
        (color(214, 132, 40), color(240, 224, 190)),
        (color(44, 66, 116), color(228, 222, 210)),
    )
    return Patch(
        corner + Y * 3.15, along, unit(-back * 2.1 - Y * 0.75), (width, 2.3), striped(*dyes[i % 4], 0.9)
    )


def boat(x, z, heading, length, body, stripe, mast: float = 0.0, cabin: bool = False):
    """A moored boat, with a wheelhouse or a mast of some height if asked for."""
    hull = Hull(
        at(x, 0, z), heading, length, length * 0.31, 0.55 + 0.055 * length, painted_hull(body, stripe)
    )
    yield hull
    ahead = at(np.sin(heading), 0, np.cos(heading))
    if cabin:
        yield from wheelhouse(at(x, hull.freeboard, z) + ahead * length * 0.06, length)
    if mast:
        yield from rig(hull, ahead, ahead * length * (0.28 if cabin else 0.12), mast)


def wheelhouse(middle, length: float):
    """A white cabin with dark panes under a red roof."""
    reach, pane = length * 0.13, plain(color(26, 32, 40), gloss=0.7)
    low, high = middle - at(length * 0.085, 0.4, reach), middle + at(length * 0.085, 1.25, reach)
    yield Box(low, high, plain(color(226, 216, 196), grain=0.08))
    roof = at(low[0] - 0.12, high[1], low[2] - 0.2), at(high[0] + 0.12, high[1] + 0.10, high[2] + 0.2)
    yield Box(*roof, plain(color(150, 58, 40)))
    yield Box(low + at(-0.02, 0.85, 0.25), high + at(0.02, -0.25, -0.25), pane)
    yield Box(low + at(0.2, 0.85, -0.02), high + at(-0.2, -0.25, 0.02), pane)


def rig(hull: Hull, ahead, step, mast: float):
    """A mast `step` ahead of the middle, a boom with a furled sail, a yard and four stays."""
    wood, rope = plain(color(172, 112, 60), gloss=0.15), plain(color(70, 58, 48))
    deck, length, side = Y * hull.freeboard, hull.length, np.cross(Y, ahead)
    foot = hull.middle + deck * 0.6 + step
    top, boom = foot + Y * mast, foot + Y * 1.5
    yield Capsule(foot, top, 0.085, wood)
    end = boom - ahead * length * 0.46
    yield Capsule(boom, end, 0.06, wood)
    yield Capsule(boom + Y * 0.2, end + Y * 0.14, 0.19, plain(color(226, 204, 168), grain=0.5, size=0.25))
    for tip in (ahead * length * 0.5 + deck * 1.3, -ahead * length * 0.48 + deck):
        yield Capsule(top, hull.middle + tip, 0.018, rope)
    for sign in (-1, 1):
        rail = hull.middle + deck + ahead * length * 0.1 + side * sign * length * 0.14
        yield Capsule(top - Y * 0.6, rail, 0.018, rope)
    yield Capsule(top - Y * mast * 0.3 - side * 0.9, top - Y * mast * 0.3 + side * 0.9, 0.04, wood)


def thwart(x, z, heading, forward, material):
    """One bench across a dinghy."""
    middle = at(x + forward * np.sin(heading), 0.66, z + forward * np.cos(heading))
    reach = at(np.cos(heading), 0, -np.sin(heading)) * 0.5
    return Capsule(middle - reach, middle + reach, 0.09, material)


def lamp(x, z):
    """A street lamp that is already burning."""
    iron = plain(color(34, 40, 40), gloss=0.2)
    foot = at(x, QUAY, z)
    yield Capsule(foot, foot + Y * 3.4, 0.06, iron)
    yield Capsule(foot, foot + Y * 0.7, 0.12, iron)
    yield Ellipsoid(foot + Y * 3.66, at(0.20, 0.27, 0.20), glowing(color(255, 196, 110) * 7))
    yield Ellipsoid(foot + Y * 3.86, at(0.28, 0.14, 0.28), iron, 0.0)


def person(x, z, coat, seed):
    """A small figure on the quay."""
    sway = 0.12 * np.sin(seed * 2.4)
    cloth, dark = plain(coat, grain=0.3), plain(color(40, 38, 44))
    foot = at(x, QUAY, z)
    for step in (-1, 1):
        yield Capsule(foot + at(0.06 * step, 0.08, 0.2 * step * sway * 4), foot + Y * 0.85, 0.095, dark)
        yield Capsule(
            foot + at(0.2 * step, 1.38, 0), foot + at(0.27 * step, 0.85, sway * step * 2), 0.065, cloth
        )
    yield Capsule(foot + Y * 0.78, foot + Y * 1.34, 0.185, cloth)
    yield Ellipsoid(foot + Y * 1.66, at(0.11, 0.14, 0.12), plain(color(206, 150, 118)))
    yield Ellipsoid(foot + Y * 1.70, at(0.125, 0.13, 0.135), plain(color(60, 42, 32)), 0.02)


def parasol(x, z, dye):
    """A cafe parasol with a table."""
    foot = at(x, QUAY, z)
    yield Capsule(foot, foot + Y * 2.6, 0.035, plain(color(150, 110, 70)))
    yield Ellipsoid(foot + Y * 2.0, at(1.5, 0.85, 1.5), plain(dye, grain=0.1), 0.22)
    yield Ellipsoid(foot + Y * 0.74, at(0.55, 0.04, 0.55), plain(color(222, 214, 200)))
    yield Capsule(foot, foot + Y * 0.7, 0.05, plain(color(50, 50, 50)))


def tower(x, z):
    """A church tower far down the canal."""
    stone = plain(color(150, 104, 84), grain=0.3, size=3)
    yield Box(at(x - 4, 0, z - 4), at(x + 4, 30, z + 4), stone)
    yield Box(at(x - 2.6, 30, z - 2.6), at(x + 2.6, 37, z + 2.6), stone)
    for level in np.linspace(0, 1, 12):
        reach, y = 3.0 * (1 - level) ** 1.2 + 0.12, 37 + 17 * level
        yield Box(at(x - reach, y, z - reach), at(x + reach, y + 1.5, z + reach), plain(color(88, 132, 116)))
