"""Paint a harbour street in evening light: `python render_harbour.py [OUT] [SCALE]`.

Every shape is met analytically or by sphere tracing (render_rays.py), the house fronts are planes with
windows drawn into their depth (render_facades.py), and each pixel of water sends one ray back into the scene.
"""

import numpy as np
from noise import banded, fractal, gradient2
from render_facades import House, front_surface, outline
from render_light import color, glow, grade, mix, run, smoothstep, tone, vector
from render_quay import (
    QUAY,
    X,
    Y,
    Z,
    at,
    awning,
    boat,
    cobbles,
    lamp,
    parasol,
    person,
    plain,
    stone_wall,
    thwart,
    tiles,
    tower,
)
from render_rays import Box, Capsule, Patch, dot, group, lit, trace, unit

EYE = np.array([5.0, 3.5, 0.0], np.float32)
YAW, FIELD, HORIZON = -0.30, 0.60, 0.585
SUN = vector(0.74, 0.28, -0.50)
SUNLIGHT = color(255, 186, 128) * 3.2
SKYLIGHT = color(112, 140, 214) * 0.52
EDGE, FRONT = -6.0, -14.0  # x of the quay wall and of the house fronts
LAMPS = (15, 28, 41, 55, 70, 88, 108)
WALLS = (
    (204, 84, 54),
    (232, 186, 92),
    (120, 54, 44),
    (222, 208, 180),
    (86, 122, 140),
    (226, 140, 92),
    (150, 70, 52),
    (236, 214, 150),
    (172, 92, 84),
    (96, 124, 96),
    (214, 160, 60),
    (130, 66, 52),
    (206, 190, 170),
    (190, 104, 66),
)
GABLES = ("gable", "step", "bell", "flat", "step", "gable", "bell")


def build_house(house: House, corner, along, back):
    """A front, two roof slopes and a chimney; `along` runs with the street and `back` away from it."""

    def material(shape, points, direction):
        return front_surface(shape, house, points, direction, SUN)

    def inside(u, v):
        return v < outline(house, u)

    yield Patch(corner, along, Y, (house.width, house.eaves + 1.1 * house.rise), material, inside)
    half, rise, depth = house.width / 2, house.rise * 0.86, 11.0
    if house.gable == "flat":
        slope = unit(back * 5 + Y * 4)
        yield Patch(
            corner + Y * (house.eaves - 0.2) + back * 0.5, along, slope, (house.width, 6), tiles(house.seed)
        )
    else:
        size, eaves = (depth, float(np.hypot(half, rise))), corner + Y * (house.eaves - 0.15) + back * 0.3
        yield Patch(eaves, back, unit(along * half + Y * rise), size, tiles(house.seed))
        yield Patch(
            eaves + along * house.width, back, unit(-along * half + Y * rise), size, tiles(house.seed)
        )
    flank = plain(color(*house.wall) * 0.8, grain=0.3, size=2)
    for side in (0, house.width):
        yield Patch(corner + along * side, back, Y, (depth, house.eaves), flank)
    stack = corner + along * house.width * (0.22 + 0.5 * (house.seed % 2)) + back * 4 + Y * house.eaves
    a, b = stack - along * 0.45 - back * 0.3, stack + along * 0.45 + back * 0.3 + Y * (house.rise + 0.6)
    yield Box(np.minimum(a, b), np.maximum(a, b), plain(color(128, 70, 54), grain=0.3))


def street(corner, along, back, length: float, seed: int):
    """A row of unequal houses."""
    rng, place, i = np.random.default_rng(seed), 0.0, 0
    while place < length:
        width = rng.uniform(5.6, 8.4)
        gable = GABLES[(i + seed) % len(GABLES)]
        storeys = rng.integers(2, 4)
        house = House(
            width,
            3.5 + 2.9 * storeys - 0.2 * rng.random(),
            rng.uniform(2.8, 4.2),
            gable,
            2 + int(width > 6.4) + int(width > 7.8),
            WALLS[(i * 5 + seed) % len(WALLS)],
            ((226, 214, 192), (206, 190, 160), (236, 230, 218))[i % 3],
            WALLS[(i * 5 + seed) % len(WALLS)][1] < 90,
            seed * 40 + i * 3,
        )
        parts = [*build_house(house, corner + along * place + back * rng.uniform(-0.25, 0.25), along, back)]
        if rng.random() < 0.6:
            parts.append(awning(corner + along * (place + 0.6) - back * 0.3, along, back, width - 1.2, i))
        yield group(parts)
        place, i = place + width, i + 1


def ground():
    """Both quays and the end of the canal."""
    kerb = plain(color(176, 160, 142), grain=0.4)
    yield [Patch(at(EDGE, QUAY, -10), Z, -X, (180, 40), cobbles)]
    yield [Patch(at(EDGE, -0.6, -10), Z, Y, (180, QUAY + 0.6), stone_wall)]
    yield [Box(at(EDGE - 0.45, QUAY, -5), at(EDGE + 0.06, QUAY + 0.04, 165), kerb)]
    yield [
        Patch(at(19, QUAY, 62), Z, X, (120, 40), cobbles),
        Patch(at(19, -0.6, 62), Z, Y, (120, QUAY + 0.6), stone_wall),
    ]
    yield [Patch(at(-8, -0.6, 150), X, Y, (60, QUAY + 0.6), stone_wall)]
    iron = plain(color(52, 46, 46))
    yield [
        Capsule(at(EDGE - 0.7, QUAY, z), at(EDGE - 0.7, QUAY + 0.5, z), 0.14, iron)
        for z in np.arange(12, 100, 6.5)
    ]


def fleet():
    """The boats along the quay, one under way, and a dinghy in front."""
    navy, red, green, white = color(28, 50, 86), color(158, 40, 30), color(36, 86, 70), color(228, 220, 206)
    yellow, teal = color(222, 160, 52), color(40, 110, 120)
    yield boat(-3.7, 19.5, 0.02, 8.6, navy, white, mast=9.5)
    yield boat(-3.6, 31, 3.10, 9.6, red, white, mast=7.0, cabin=True)
    yield boat(-3.8, 43, 0.0, 8.0, white, navy, mast=10.0)
    yield boat(-3.8, 54, 3.14, 9.0, green, yellow, mast=6.5, cabin=True)
    yield boat(-3.8, 67, 0.0, 9.0, navy, red, mast=11.0)
    yield boat(-3.8, 84, 0.0, 9.0, white, teal, mast=9.0)
    yield boat(8.6, 46, 2.7, 9.5, teal, white, mast=10.5)
    yield boat(15.5, 78, 3.14, 9.5, red, white, mast=9.5, cabin=True)
    dinghy = boat(4.6, 15.6, 0.75, 4.4, teal, white)
    seat = plain(color(186, 130, 78), gloss=0.1)
    yield [*dinghy, *(thwart(4.6, 15.6, 0.75, forward, seat) for forward in (-1.2, -0.1, 0.9))]


def life():
    """Lamps, people and parasols on the quay."""
    yield from (lamp(-7.6, z) for z in LAMPS)
    places = ((-9, 19), (-9.6, 19.6), (-7.4, 25), (-11, 30), (-8.3, 36), (-10, 46), (-8, 52), (-9, 63))
    coats = ((150, 50, 44), (56, 74, 110), (196, 164, 110), (70, 90, 70))
    yield from (person(x, z, color(*coats[i % 4]), i) for i, (x, z) in enumerate(places))
    dyes = ((232, 214, 170), (190, 60, 44), (236, 222, 190), (60, 110, 100))
    yield from (parasol(-11.3, z, color(*dye)) for z, dye in zip((22.5, 33.5, 38, 60), dyes, strict=True))


def build():
    """All groups of shapes, near ones first."""
    groups = [group(parts) for source in (ground(), fleet(), life()) for parts in source]
    for start, along, back, length, seed in (
        ((FRONT, QUAY, 6), Z, -X, 140, 4),
        ((26, QUAY, 66), Z, X, 84, 3),
        ((-14, QUAY, 156), X, Z, 44, 2),
        ((24, QUAY, -66), Z, X, 50, 5),
        ((24, QUAY, 13), Z, X, 40, 6),
    ):  # the last two only cast shadows
        groups += street(at(*start), along, back, length, seed)
    groups.append(group(tower(11, 185)))
    return sorted(
        groups, key=lambda member: float(np.hypot(*(np.clip(EYE, member.low, member.high) - EYE)[::2]))
    )


def sky_color(direction):
    """Evening sky `[N, 3]` with rows of small clouds lit from below."""
    up = np.maximum(direction[1], 0)
    toward = 0.5 + 0.5 * (direction[0] * 0.55 + direction[2] * 0.83)
    horizon = mix(np.broadcast_to(color(246, 186, 150), (up.size, 3)), color(255, 206, 126) * 1.25, toward**2)
    clear = mix(horizon, color(160, 186, 208) * 0.95, smoothstep(0.0, 0.26, up))
    clear = mix(clear, color(62, 108, 168) * 0.85, smoothstep(0.15, 0.75, up))
    px, pz = direction[0] / (up + 0.12), direction[2] / (up + 0.12)

    def body(a, b):
        return fractal(gradient2, a, b, octaves=7, gain=0.53, seed=61)

    density = banded(body, px * 0.85 + 3.3, pz * 1.5 + 1)
    shifted = banded(body, px * 0.85 + 3.3 + 0.10, pz * 1.5 + 1 - 0.12)
    cover = smoothstep(-0.02, 0.55, density) * smoothstep(0.0, 0.10, up)
    bright = np.clip(0.55 + 1.5 * (density - shifted) - 0.35 * density, 0, 1)
    cloud = mix(np.broadcast_to(color(134, 122, 150) * 0.8, clear.shape), color(255, 196, 140) * 1.45, bright)
    return mix(clear, cloud, cover * 0.92)


def ambient(points, normal):
    """Sky light and warm light from the ground, dimmer close to walls and under eaves."""
    up = 0.5 + 0.5 * normal[1]
    light = mix(np.broadcast_to(color(176, 124, 90) * 0.26, (up.size, 3)), SKYLIGHT, up)
    nook = 1 - 0.55 * np.exp(-np.abs(points[0] - FRONT) / 1.6) * smoothstep(QUAY + 1.2, QUAY, points[1])
    low = 0.55 + 0.45 * smoothstep(0.0, 1.0, points[1])
    return light * (nook * low)[:, None]


def lamps(points):
    """Warm pools of light below the street lamps."""
    total = np.zeros(points.shape[1], np.float32)
    for z in LAMPS:
        away2 = (points[0] + 7.6) ** 2 + (points[1] - QUAY - 3.6) ** 2 + (points[2] - z) ** 2
        total += 1 / (away2 + 0.6)
    return total[:, None] * color(255, 176, 84) * 1.5


def haze(light, points, origin):
    """Golden air between the eye and the points."""
    distance = np.sqrt(dot(points - origin, points - origin))
    return mix(light, color(255, 196, 140) * 0.85, 0.8 * (1 - np.exp(-((distance / 210) ** 1.4))))


def radiance(groups, origin, direction, hits):
    """Light `[N, 3]` coming back along rays whose hits are known, without water."""
    t, index = hits
    shapes = [shape for member in groups for shape in member.shapes]
    light = np.empty((t.size, 3), np.float32)
    missed = index < 0
    light[missed] = sky_color(direction[:, missed])
    for i in np.unique(index[~missed]):
        here = index == i
        points = origin[:, here] + t[here] * direction[:, here]
        light[here] = haze(shade(groups, shapes[i], points, direction[:, here]), points, EYE[:, None])
    return light


def shade(groups, shape, points, direction):
    """Light leaving points of one shape towards the eye."""
    normal = shape.normal(points, direction)
    albedo, sunlit, emitted, gloss = shape.material(shape, points, direction)
    facing = np.maximum(dot(normal, SUN), 0) * sunlit
    bright = facing > 0
    facing[bright] *= lit(groups, (points + 0.02 * normal)[:, bright], SUN)
    light = albedo * (facing[:, None] * SUNLIGHT + ambient(points, normal) + lamps(points)) + emitted
    shiny = gloss > 0.02
    if shiny.any():
        d, n = direction[:, shiny], normal[:, shiny]
        mirrored = unit(d - 2 * dot(d, n) * n)
        fresnel = 0.06 + 0.94 * (1 - np.abs(dot(d, n))) ** 5
        light[shiny] += (fresnel * gloss[shiny] * 1.3)[:, None] * sky_color(mirrored)
        spark = np.maximum(dot(mirrored, SUN), 0) ** 60 * (facing[shiny] > 0) * gloss[shiny]
        light[shiny] += spark[:, None] * SUNLIGHT * 0.5
    return light


def ripple(x, z, distance):
    """Slopes of the water across and along the canal, filtered with distance."""
    total = np.zeros((2, x.size), np.float32)
    for i, (size, height) in enumerate(((0.35, 0.020), (0.9, 0.026), (2.3, 0.020), (6.0, 0.009))):
        kept = height * smoothstep(1.3, 0.25, distance**1.45 / 420 / size)
        total[0] += kept * gradient2(x / size, z / size, 71 + i)
        total[1] += kept * gradient2(x / size + 40, z / size, 81 + i)
    return total


def water(groups, direction):
    """Light from the water along primary rays that point down."""
    distance = EYE[1] / -direction[1]
    points = EYE[:, None] + distance * direction
    points[1] = 0
    sx, sz = ripple(points[0], points[2], distance)
    normal = unit(np.stack([-sx, np.ones_like(sx), -sz]))
    mirrored = unit(direction - 2 * dot(direction, normal) * normal)
    mirrored[1] = np.maximum(mirrored[1], 0.004)
    fresnel = 0.03 + 0.97 * (1 - np.maximum(-dot(direction, normal), 0)) ** 4.2
    body = color(20, 48, 50) * 0.55
    light = radiance(groups, points, mirrored, trace(groups, points, mirrored)) * 0.95
    return mix(np.broadcast_to(body, light.shape), light, np.clip(fresnel + 0.12, 0, 1))


def picture_rays(width: int, rows, height: int):
    """Unit directions `[3, N]` of all pixels of some rows; verticals stay vertical."""
    across = ((np.arange(width) + 0.5) / width * 2 - 1) * FIELD
    up = (HORIZON * height - rows - 0.5) / (width / 2) * FIELD
    a, b = (g.reshape(-1).astype(np.float32) for g in np.meshgrid(across, up))
    c, s = np.float32(np.cos(YAW)), np.float32(np.sin(YAW))
    return unit(np.stack([s + c * a, b, c - s * a]))


def render(width: int, height: int):
    """Display values `[height, width, 3]` in [0, 1]."""
    groups, image = build(), np.empty((height, width, 3), np.float32)
    band = max(1, 30000 // width)
    for top in range(0, height, band):
        rows = np.arange(top, min(top + band, height))
        direction = picture_rays(width, rows, height)
        origin = np.broadcast_to(EYE[:, None], direction.shape)
        t, index = trace(groups, origin, direction)
        wet = (direction[1] < 0) & (EYE[1] / np.maximum(-direction[1], 1e-6) < t)
        light, dry = np.empty((wet.size, 3), np.float32), ~wet
        light[dry] = radiance(groups, origin[:, dry], direction[:, dry], (t[dry], index[dry]))
        if wet.any():
            light[wet] = water(groups, direction[:, wet])
        image[rows] = light.reshape(rows.size, width, 3)
    return tone(glow(grade(np.minimum(image, 8), 1.0), 0.9, width / 110, 0.16), 0.84)


def main() -> None:
    """Render the harbour."""
    run(render, "harbour.jpg")


if __name__ == "__main__":
    main()
