"""Paint a still life by a window: `python render_still_life.py [OUT] [SCALE]`.

Fruit, a bowl, a bottle and a jug on a table half under a linen cloth. Everything is a distance field
(render_fields.py) met by sphere tracing; lengths are decimetres.
"""

import numpy as np
from render_fields import Solid, march, openness, slope, soft_light, turned, which
from render_larder import (
    APPLE,
    BOTTLE,
    BOWL,
    JUG,
    LEMON,
    PEAR,
    UPRIGHT,
    apple_skin,
    at,
    ball,
    blade,
    bunch,
    cloth,
    cloudy,
    copper,
    cut_lemon,
    grape_skin,
    grapes,
    green_glass,
    half,
    handle,
    leaf,
    leaf_green,
    linen,
    orange_peel,
    plaster,
    porcelain,
    rod,
    skin,
    steel,
    stem,
    table,
    union,
    wall,
    wood,
)
from render_light import color, glow, grade, mix, run, smoothstep, tone, vector
from render_rays import dot, unit

EYE, TARGET, FIELD = np.array([0.3, 5.6, -17.5], np.float32), np.array([0.15, 1.75, 0.4], np.float32), 0.385
WINDOW = vector(-0.74, 0.58, -0.34)
DAYLIGHT, ROOM = color(255, 236, 204) * 3.5, color(128, 140, 172) * 0.55


MIRRORS = (wood, porcelain, copper, green_glass, steel)  # what the scene itself is reflected in
RELIEF = {
    orange_peel: (0.07, 0.10),
    copper: (0.34, 0.05),
    wood: (0.25, 0.02),
    plaster: (0.6, 0.035),
    linen: (0.12, 0.02),
}


def fruit_with_stem(profile, place, turn, reach, material, top, bend=0.18):
    """A fruit and its stalk."""
    yield Solid(profile, at(*place), turn, reach, material)
    yield Solid(rod((0, top - 0.35, 0), (bend, top + 0.42, 0.05), 0.045), at(*place), turn, reach + 0.9, stem)


def build():
    """All solids; the wall and the table have no bounding ball worth having."""
    pear_skin = skin(color(150, 140, 36), color(214, 172, 62), gloss=0.4, freckle=0.09, size=(0.8, 1.2, 0.8))
    lemon_peel = skin(color(226, 164, 18), color(244, 206, 52), gloss=0.5, freckle=0.06)
    bowl = at(0.9, 0.06, 1.1)
    solids = [
        Solid(table, at(0, 0, 0), UPRIGHT, 99, wood),
        Solid(cloth, at(0, 0, 0), UPRIGHT, 99, linen),
        Solid(wall, at(0, 0, 0), UPRIGHT, 999, plaster),
        Solid(BOWL, bowl, UPRIGHT, 3.6, porcelain),
        Solid(BOTTLE, at(-3.7, 0.12, 2.6), turned(18), 6.9, green_glass),
        Solid(union(JUG, handle), at(5.3, 0.0, 2.4), turned(-28), 4.9, copper),
        Solid(ball(0.98), bowl + at(1.35, 1.72, 0.25), turned(20, 30), 1.0, orange_peel),
        Solid(ball(0.95), bowl + at(0.2, 1.55, 1.25), turned(70, -20), 1.0, orange_peel),
        Solid(LEMON, at(4.35, 0.84, -0.9), turned(-24, 0, 82), 1.25, lemon_peel),
        Solid(half(LEMON), at(2.75, 0.88, -1.75), turned(12, -74, 0), 1.25, cut_lemon),
        Solid(leaf, bowl + at(1.08, 2.72, -0.40), turned(160, 10, 14), 1.1, leaf_green),
        Solid(
            grapes(bunch(30, (0.62, 0.40), 0.33, 8), 0.33), at(-1.55, 0.14, -1.6), UPRIGHT, 2.6, grape_skin
        ),
        Solid(
            grapes(bunch(13, (0.36, 0.28), 0.33, 5), 0.33),
            bowl + at(-0.62, 1.15, -1.2),
            UPRIGHT,
            2.2,
            grape_skin,
        ),
    ]
    knife = turned(238)
    solids.append(Solid(blade, at(4.7, 0.12, -2.5), knife, 1.5, steel))
    solids.append(Solid(rod((-1.4, 0, 0), (-2.5, 0, 0), 0.13), at(4.7, 0.13, -2.5), knife, 2.7, stem))
    solids += fruit_with_stem(APPLE, bowl + at(0.35, 1.15, -0.35), turned(40, -14, -10), 1.9, apple_skin, 1.5)
    solids += fruit_with_stem(APPLE, bowl + at(-1.35, 0.95, 0.45), turned(140, 10, 24), 1.9, apple_skin, 1.5)
    solids += fruit_with_stem(PEAR, at(-5.2, 0.14, 0.3), turned(30, 0, 4), 2.6, pear_skin, 2.4)
    solids += fruit_with_stem(PEAR, at(-3.45, 1.0, -1.3), turned(-28, 0, 83), 2.6, pear_skin, 2.4)
    return solids


def surroundings(direction):
    """What shiny things see `[N, 3]`: a dark room and a bright window with bars."""
    across, high = unit(np.cross(WINDOW, [0, 1, 0])), np.array([0, 1, 0]) - WINDOW * WINDOW[1]
    facing = dot(direction, WINDOW)
    u = dot(direction, across) / np.maximum(facing, 1e-3)
    v = dot(direction, unit(high)) / np.maximum(facing, 1e-3)
    pane = smoothstep(0.36, 0.31, np.abs(u)) * smoothstep(0.46, 0.41, np.abs(v)) * (facing > 0)
    bars = smoothstep(0.02, 0.045, np.abs(u)) * smoothstep(0.02, 0.045, np.abs(np.abs(v) - 0.14))
    room = mix(
        np.broadcast_to(color(58, 42, 30) * 0.5, (u.size, 3)),
        color(130, 116, 100) * 0.5,
        0.5 + 0.5 * direction[1],
    )
    room = room + color(120, 140, 180) * 0.25 * smoothstep(0.6, 1.0, direction[0])[:, None]
    return room + color(255, 244, 226) * 9 * (pane * bars)[:, None]


def roughen(solid, points, normal):
    """Bend normals by the fine relief of peel, hammered metal and grain."""
    size, height = RELIEF.get(solid.material, (0.2, 0.0))
    if not height:
        return normal
    p = solid.local(points)
    here = cloudy(p, (size,) * 3, 2, seed=91)
    steps = np.eye(3, dtype=np.float32)[:, :, None] * np.float32(size * 0.2)
    rise = np.stack([cloudy(p + s, (size,) * 3, 2, seed=91) - here for s in steps]) / 0.2
    rise = solid.turn.T @ rise
    return unit(normal - height * (rise - dot(rise, normal) * normal))


def materials(solids, index, points, flat):
    """Bent normals `[3, N]`, albedo `[N, 3]`, and gloss, metal, translucency and mirroring `[N]`."""
    normal, base = flat.copy(), np.zeros((index.size, 3), np.float32)
    fields = np.zeros((4, index.size), np.float32)
    for i in np.unique(index):
        here, solid = np.flatnonzero(index == i), solids[i]
        normal[:, here] = roughen(solid, points[:, here], flat[:, here])
        base[here], *rest = solid.material(solid.local(points[:, here]))
        for field, value in zip(fields, (*rest, solid.material in MIRRORS), strict=True):
            field[here] = value
    return normal, base, *fields


def look(solids, origin, direction, bounces: int):
    """Light `[N, 3]` coming back along rays."""
    points = origin + march(solids, origin, direction) * direction
    flat, index = slope(solids, points), which(solids, points)
    normal, base, gloss, metal, clear, mirrors = materials(solids, index, points, flat)
    lifted = points + np.float32(0.03) * flat
    near, sun = points[2] < 8, np.ones(index.size, np.float32)
    sun[near] = soft_light(solids, lifted[:, near], WINDOW, 0.17)
    free = openness(solids, points, flat)
    light = diffuse(points, normal, base, clear, sun, free) * (1 - 0.9 * metal)[:, None]
    mirrored = unit(direction - 2 * dot(direction, normal) * normal)
    fresnel = 0.045 + 0.955 * (1 - np.clip(-dot(direction, normal), 0, 1)) ** 5 * (0.3 + 0.5 * gloss)
    strength = gloss * np.maximum(fresnel, metal * 0.9)
    seen = surroundings(mirrored) * (0.25 + 0.75 * free)[:, None]
    traced = np.flatnonzero((mirrors > 0) & (strength > 0.01)) if bounces else np.zeros(0, int)
    if traced.size:
        seen[traced] = reflection(solids, lifted[:, traced], mirrored[:, traced], bounces)
    light += seen * mix(np.ones_like(base), base * 1.5, metal) * strength[:, None]
    return light * falloff(points)[:, None]


def diffuse(points, normal, base, clear, sun, free):
    """Window light, room light, light thrown up by the table, and light that has come through."""
    direct = np.maximum((dot(normal, WINDOW) + 0.1 + 0.3 * clear) / (1.1 + 0.3 * clear), 0) * sun
    bounce = (
        np.maximum(0.35 - 0.65 * normal[1], 0) * np.exp(-np.maximum(points[1], 0) / 2.5) * (0.4 + 0.6 * free)
    )
    light = direct[:, None] * DAYLIGHT + (free * (0.6 + 0.4 * normal[1]))[:, None] * ROOM
    light = light + bounce[:, None] * color(210, 160, 110) * 0.6
    through = clear * np.maximum(dot(normal, -WINDOW * at(1, 0.4, 1)), 0) ** 2 * (0.3 + 0.7 * free)
    shine = base * 5 + 0.02 * base / (base.max(-1, keepdims=True) + 1e-4)
    return base * light + shine * through[:, None]


def reflection(solids, points, mirrored, bounces: int):
    """What mirrored rays see: the solids within reach, otherwise the room and its window."""
    seen, t = surroundings(mirrored), march(solids, points, mirrored, 50)
    hit = np.flatnonzero((t < 16) & (points[2] + t * mirrored[2] < 8.2))
    if hit.size:
        seen[hit] = look(solids, points[:, hit], mirrored[:, hit], bounces - 1)
    return seen


def falloff(points):
    """The window's light dies away to the right and towards the top of the wall; the edge is slanted."""
    slant = points[0] * 0.55 + points[1] * 0.9
    under = smoothstep(-3.5, 1.0, points[1])
    back = smoothstep(7.5, 8.4, points[2])
    edge = (0.30 + 0.70 * smoothstep(8.0, 0.5, slant)) * (0.06 + 0.94 * under)
    side = 0.62 + 0.38 * smoothstep(9, -5, points[0])
    return np.where(back > 0.5, 1, side) * (1 - back + back * edge)


def picture_rays(width: int, rows, height: int):
    """Unit directions `[3, N]` of all pixels of some rows."""
    forward = unit(TARGET - EYE)
    right = unit(np.cross([0, 1, 0], forward)).astype(np.float32)
    up = np.cross(forward, right)
    a = ((np.arange(width) + 0.5) / width * 2 - 1) * FIELD
    b = (height / 2 - rows - 0.5) / (width / 2) * FIELD
    a, b = (g.reshape(-1).astype(np.float32) for g in np.meshgrid(a, b))
    return unit(forward[:, None] + right[:, None] * a + up[:, None] * b).astype(np.float32)


def render(width: int, height: int):
    """Display values `[height, width, 3]` in [0, 1]."""
    solids, image = build(), np.empty((height, width, 3), np.float32)
    band = max(1, 20000 // width)
    for top in range(0, height, band):
        rows = np.arange(top, min(top + band, height))
        direction = picture_rays(width, rows, height)
        origin = EYE[:, None] + 9 * direction  # nothing stands nearer to the eye
        image[rows] = look(solids, origin, direction, 1).reshape(rows.size, width, 3)
    return tone(glow(grade(np.minimum(image, 6), 1.02), 1.0, width / 140, 0.12), 0.92)


def main() -> None:
    """Render the still life."""
    run(render, "still_life.jpg", oversample=1.5)


if __name__ == "__main__":
    main()
