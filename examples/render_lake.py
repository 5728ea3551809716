"""Paint a mountain lake at golden hour: `python render_lake.py [OUT] [SCALE]`.

The camera looks along +z without tilt, so each picture column is one vertical plane of the world. A column is
solved by sampling the terrain along it from near to far: the running maximum of the projected heights is the
skyline seen so far, and a pixel sees the first sample that reaches it. With the camera below the water, the
same gives the mirror image.
"""

import numpy as np
from noise import banded, cells, fractal, gradient2, ridged, value3
from render_light import color, glow, grade, mix, run, smoothstep, tone, unit, vector
from render_sky import sky
from render_trees import spruce
from scipy.ndimage import map_coordinates

CAMERA = 4.0  # metres above the water
FIELD = 0.54  # tangent of half the horizontal field of view
HORIZON = 0.585  # where the horizon is, as a fraction of the height
SUN = vector(-0.86, 0.27, -0.30)
SUNLIGHT = color(255, 188, 116) * 5.2
SKYLIGHT = color(112, 152, 220) * 0.62
NEAR, FAR = 120.0, 15000.0

# x, z, height, width of each massif in metres
PEAKS = (
    (1100, 9000, 3300, 2100),
    (-1300, 11000, 2900, 2300),
    (-3700, 8600, 2000, 1900),
    (3900, 8600, 2300, 1900),
    (-200, 13500, 2500, 3200),
    (5800, 10500, 2500, 2100),
)

# x, z, foot and height in metres, and whether it has turned gold; far to near
TREES = (
    (58, 412, 1.0, 15, False),
    (74, 408, 1.0, 13, True),
    (66, 402, 1.5, 22, False),
    (52, 396, 0.8, 10, True),
    (61, 394, 1.0, 17, False),
    (79, 392, 0.5, 9, False),
    (70, 388, 0.8, 16, True),
    (-33, 66, 2.0, 20, False),
    (-25.5, 56, 2.0, 15, True),
    (-23.5, 46, 2.0, 19, False),
)


def shore_distance(x, z):
    """Roughly how far a point lies outside the lake, in metres; negative on the water."""
    bend = 160 * fractal(gradient2, x / 900, z / 900, octaves=4, seed=3)
    side = np.abs(x - 120) - 820 - 0.05 * z
    end = z - 3300
    tongue = 330 - np.hypot((x + 980) * 0.45, (z - 1250) * 1.5)  # a wooded point from the left
    cape = 300 - np.hypot((x - 1500) * 0.42, (z - 2050) * 1.4)
    return np.maximum(np.maximum(side, end) + bend, np.maximum(tongue, cape) + 0.25 * bend)


def bare_height(x, z):
    """Height of the ground above the water, in metres."""
    shore = shore_distance(x, z)
    warp = 260 * fractal(gradient2, x / 1700, z / 1700, octaves=3, seed=11)
    crest = ridged((x + warp) / 3100, (z - warp) / 3100, octaves=10, gain=0.47, seed=23)
    massif = np.zeros_like(x)
    for px, pz, height, width in PEAKS:
        away = ((x - px) ** 2 + (z - pz) ** 2) / width**2
        massif = np.maximum(massif, height / (1 + away * (0.6 + 0.4 * away)))
    land = np.maximum(shore, 0)
    hills = (
        460
        * (1 - np.exp(-land / 1100))
        * (0.75 + 0.6 * fractal(gradient2, x / 1100, z / 1100, octaves=6, seed=41))
    )
    mountain = massif * (0.34 + 0.78 * crest) * smoothstep(200, 4200, land)
    return np.where(shore > 0, np.maximum(hills, 0.4) + mountain + 0.06 * np.minimum(land, 40), shore * 0.1)


def tree_cover(x, z, height):
    """How densely trees stand, in [0, 1]: up to a ragged tree line, with clearings."""
    patch = fractal(gradient2, x / 420, z / 420, octaves=4, seed=57)
    line = smoothstep(980, 640, height + 260 * patch)
    return line * smoothstep(1.0, 2.2, height) * smoothstep(-0.75, -0.4, patch + 0.2)


def tree_height(x, z, height):
    """Crown height above the ground in metres, and each tree's own number."""
    cover = tree_cover(x, z, height)
    crown, tree = np.zeros_like(x), np.zeros_like(x)
    for spacing, seed in ((9.5, 5), (7.0, 6)):
        distance, number = cells(x / spacing, z / spacing, seed=seed)
        taller = (8 + 18 * number) * cover * np.maximum(1 - distance * 1.7, 0)
        crown, tree = np.maximum(crown, taller), np.where(taller > crown, number, tree)
    return crown, tree


def wooded(x, z):
    """Height with trees, in metres."""
    ground = bare_height(x, z)
    crown, _ = tree_height(x, z, ground)
    return ground + crown


def bank(x, z):
    """Height of the near shore at the left with its boulders, in metres; below the water elsewhere."""
    wave = fractal(gradient2, x / 9, z / 9, octaves=6, seed=201)
    inland = -1.2 - 0.335 * z - x + 1.6 * wave
    height = (
        np.where(inland > 0, 0.35 * np.sqrt(np.maximum(inland, 0)) + 0.08 * inland, inland * 0.35)
        + 0.12 * wave
    )
    crack = fractal(gradient2, x * 1.3, z * 1.3, octaves=5, seed=203)
    for size, seed in ((3.4, 211), (1.5, 212), (0.6, 213)):
        distance, number = cells(x / size + 0.10 * crack, z / size - 0.10 * crack, seed=seed)
        dome = (
            np.clip(1.35 - (distance * 2.0) ** 2, 0, 1) ** 0.6
            * size
            * (0.08 + 0.24 * number)
            * (1 + 0.22 * crack)
        )
        near_water = smoothstep(-2.6, -0.6, inland) * smoothstep(9, 2, inland)
        height = height + dome * near_water * (number > 0.35)
    islet = 20 - np.hypot(x - 66, (z - 400) * 0.6) + 4 * wave
    return np.maximum(height, np.where(islet > 0, 0.5 * np.sqrt(np.maximum(islet, 0)) + 0.5 * wave, -1))


def skyline(surface, tangents, distances, focal, camera, rows):
    """Solve every column: the distance `[R, C]` seen at each row's height above the horizon; inf for sky."""
    x, z = (
        tangents[None, :] * distances[:, None],
        np.broadcast_to(distances[:, None], (distances.size, tangents.size)),
    )
    height = banded(surface, x, np.ascontiguousarray(z))
    height = np.where(height > 0, height, -1000)  # the bed of the lake hides nothing from the mirrored camera
    seen = np.maximum.accumulate((height - camera) * (focal / distances[:, None]), axis=0)
    hit = np.full((rows.size, tangents.size), np.inf, np.float32)
    for column in range(tangents.size):
        profile = np.ascontiguousarray(seen[:, column])
        index = np.searchsorted(profile, rows)
        inside = (index > 0) & (index < profile.size)
        i = index[inside]
        part = (rows[inside] - profile[i - 1]) / np.maximum(profile[i] - profile[i - 1], 1e-6)
        hit[inside, column] = distances[i - 1] + part * (distances[i] - distances[i - 1])
    return hit


def height_map(step: float = 16.0):
    """A coarse map of the ground for shadows: heights `[Z, X]`, its origin and its cell in metres."""
    x, z = np.meshgrid(np.arange(-9000, 9000, step, np.float32), np.arange(-500, 15500, step, np.float32))
    return banded(bare_height, x, z), (-500.0, -9000.0), step


def sun_visible(x, y, z, ground):
    """Soft shadow of the ground map in [0, 1], by walking towards the sun."""
    heights, (z0, x0), step = ground
    light = np.ones_like(x)
    length = 20.0
    while length < 6500:
        px, py, pz = (p + s * length for p, s in zip((x, y, z), SUN, strict=True))
        below = map_coordinates(heights, [(pz - z0) / step, (px - x0) / step], order=1, mode="nearest")
        light = np.minimum(light, 0.5 + (py - below) / (0.035 * length + 12))
        length *= 1.055
    return smoothstep(0, 1, light)


def slope_normal(surface, x, z, reach):
    """Unit normals of a height function from differences `reach` metres apart, and the heights."""
    here = banded(surface, x, z)
    east, north = banded(surface, x + reach, z), banded(surface, x, z + reach)
    return unit(np.stack([here - east, reach, here - north], -1)), here


def rock_color(x, y, z):
    """Weathered grey-brown rock with tilted strata."""
    bands = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=71), y / 55 + x / 400, z / 600)
    stain = banded(lambda a, b: fractal(gradient2, a, b, octaves=5, seed=73), x / 260, z / 260)
    base = mix(color(112, 96, 88), color(158, 138, 120), 0.5 + 0.5 * bands)
    return mix(base, color(88, 82, 86), smoothstep(0.0, 0.7, stain))


def meadow_color(x, z):
    """Autumn grass, from green to straw."""
    patch = banded(lambda a, b: fractal(gradient2, a, b, octaves=6, seed=81), x / 150, z / 150)
    return mix(color(96, 108, 48), color(176, 140, 66), 0.5 + 0.7 * patch)


def tree_color(x, z, number):
    """Dark spruce with stands of golden larch."""
    stand = banded(lambda a, b: fractal(gradient2, a, b, octaves=3, seed=91), x / 260, z / 260)
    spruce = mix(color(30, 52, 34), color(66, 88, 42), number)
    larch = mix(color(196, 128, 34), color(160, 84, 30), number * number)
    return mix(spruce, larch, smoothstep(0.62, 0.72, number * 0.32 + 0.26 + 0.85 * stand))


def albedo(x, y, z, normal, ground, crown, number):
    """Surface colour: rock, meadow, snow, shore and forest by height and slope."""
    patch = banded(lambda a, b: fractal(gradient2, a, b, octaves=6, seed=61), x / 300, z / 300)
    base = mix(
        rock_color(x, y, z),
        meadow_color(x, z),
        smoothstep(0.62, 0.80, normal[..., 1] + 0.12 * patch) * smoothstep(1250, 900, ground + 200 * patch),
    )
    snow = smoothstep(0.47, 0.62, normal[..., 1] + 0.16 * patch) * smoothstep(950, 1350, ground + 260 * patch)
    base = mix(base, color(240, 242, 248), snow)
    base = mix(color(150, 136, 116), base, smoothstep(0.6, 2.6, ground))
    return mix(base, tree_color(x, z, number), smoothstep(0.3, 1.6, crown))


def cloud_shadow(x, z):
    """Sunlight left between the clouds, in [0.2, 1], in patches of a kilometre or two."""
    patch = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=111), x / 2300 + 3.1, z / 2300)
    return 0.2 + 0.8 * smoothstep(-0.32, 0.05, patch)


def shade(x, y, z, reach, ground_map):
    """Light leaving the land at visible points, before the air between."""
    smooth, ground = slope_normal(bare_height, x, z, np.maximum(reach, 3))
    rough, _ = slope_normal(wooded, x, z, np.maximum(reach, 0.8))
    crown, number = banded(tree_height, x, z, ground)
    normal = unit(mix(smooth, rough, 0.55 * smoothstep(0.3, 1.6, crown)))
    sun = (
        np.clip(normal @ SUN, 0, 1)
        * sun_visible(x, ground + 0.6 * crown + 4, z, ground_map)
        * cloud_shadow(x, z)
    )
    depth = 1 - smoothstep(0.3, 1.6, crown) * smoothstep(9, 0, crown) * 0.65  # it is dark between the trees
    ambient = (0.55 + 0.45 * normal[..., 1]) * depth
    bounce = np.clip(normal @ vector(0.7, -0.1, 0.6), 0, 1)[..., None] * color(255, 190, 150) * 0.10
    light = (sun * depth)[..., None] * SUNLIGHT + ambient[..., None] * SKYLIGHT + bounce
    return albedo(x, y, z, smooth, ground, crown, number) * light


def through_air(light, x, y, z, distance):
    """Aerial perspective: blue haze with distance, gold towards the sun, and mist low over the water."""
    toward = smoothstep(0.35, -0.55, x / z)
    haze = mix(
        np.broadcast_to(color(128, 160, 208) * 0.85, light.shape), color(255, 206, 150) * 1.0, toward * 0.8
    )
    amount = 1 - np.exp(-distance / 15500 * np.exp(-y / 2600))
    wisps = banded(lambda a, b, c: fractal(value3, a, b, c, octaves=4, seed=121), x / 420, y / 60, z / 420)
    mist = smoothstep(900, 3600, distance) * np.exp(-y / (80 + 45 * np.clip(wisps, -1, 1))) * 0.55
    return mix(light, haze, np.clip(np.maximum(amount, mist), 0, 1))


def shade_bank(x, y, z, reach, ground_map):
    """Light leaving the near shore: stone by the water, grass inland, wet and dark at the edge."""
    normal, height = slope_normal(bank, x, z, np.maximum(reach, 0.02))
    lichen = banded(lambda a, b: fractal(gradient2, a, b, octaves=6, seed=221), x * 1.1, z * 1.1)
    grain = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=222), x * 9, z * 9)
    stone = mix(color(124, 116, 110), color(176, 156, 128), 0.5 + 0.9 * lichen) * (
        1 + 0.35 * grain[..., None]
    )
    grass = mix(color(70, 82, 34), color(158, 128, 58), 0.5 + 0.8 * grain)
    inland = -1.2 - 0.335 * z - x
    base = mix(
        stone, grass, smoothstep(0.6, 3.0, inland + 1.6 * lichen) * smoothstep(0.6, 0.9, normal[..., 1])
    )
    base = mix(base, color(58, 62, 30), smoothstep(200, 300, z))
    base = base * (0.35 + 0.65 * smoothstep(0.02, 0.22, height))[..., None]
    shadow = sun_on_bank(x, y, z)
    sun = np.clip(normal @ SUN, 0, 1) * shadow
    return base * (sun[..., None] * SUNLIGHT + (0.5 + 0.5 * normal[..., 1:2]) * SKYLIGHT)


def sun_on_bank(x, y, z):
    """Shadow of the near shore on itself, in [0, 1]."""
    light = np.ones_like(x)
    for length in np.geomspace(0.08, 5.0, 18):
        px, py, pz = (p + s * np.float32(length) for p, s in zip((x, y, z), SUN, strict=True))
        light = np.minimum(light, 0.5 + (py - banded(bank, px, pz)) / (0.05 * length + 0.03))
    return smoothstep(0, 1, light)


def view(image, land, tangents, rows, focal, camera, ground_map):
    """Paint a land over an image `[R, C, 3]` whose rows are heights above the horizon in pixels."""
    surface, shading, near, far = land
    distances = np.geomspace(near, far, int(0.8 * np.log(far / near) * tangents.size), dtype=np.float32)
    depth = skyline(surface, tangents, distances, focal, camera, rows)
    row, column = np.nonzero(np.isfinite(depth))
    z = depth[row, column]
    x, y = tangents[column] * z, camera + rows[row] * z / focal
    land = y > 0.02
    row, column = row[land], column[land]
    x, y, z = (a[land].astype(np.float32) for a in (x, y, z))
    light = shading(x, y, z, z / focal * 1.2, ground_map)
    image = image.copy()
    image[row, column] = through_air(light, x, y, z, np.sqrt(x * x + z * z))
    return image


def plant(image, tangents, rows, focal, camera):
    """Set the single trees, far to near, into an image as `view` does."""
    image = image.copy()
    for i, (x, z, base, height, autumn) in enumerate(TREES):
        light, cover = spruce(max(12, round(height * focal / z)), 300 + i, autumn)
        light = through_air(light * 1.5, *(np.full(cover.shape, v, np.float32) for v in (x, 5.0, z, z)))
        foot = int(rows[0] - focal * (base - camera) / z)
        left = round((x / z / FIELD + 1) / 2 * tangents.size - cover.shape[1] / 2)
        top = foot - cover.shape[0]
        y0, y1 = max(top, 0), min(foot, image.shape[0])
        x0, x1 = max(left, 0), min(left + cover.shape[1], image.shape[1])
        if y0 < y1 and x0 < x1:
            part = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
            image[y0:y1, x0:x1] = mix(image[y0:y1, x0:x1], light[part], cover[part])
    return image


def ripple(x, z, distance):
    """Slopes of the water `[2, ...]`: fine ripples in gusts, and a slow swell; filtered with distance."""
    gust = smoothstep(-0.25, 0.55, fractal(gradient2, x / 90, z / 260, octaves=4, seed=131))
    total = np.zeros((2, *x.shape), np.float32)
    for i, (size, height) in enumerate(
        ((0.4, 0.006), (1.1, 0.008), (3.1, 0.007), (9.0, 0.005), (31.0, 0.003))
    ):
        kept = smoothstep(1.6, 0.3, distance**1.5 / 900 / size) * height * (0.25 + 1.2 * gust)
        total[0] += kept * gradient2(x / size * 0.6, z / size, 141 + i)
        total[1] += kept * gradient2(x / size * 0.6 + 50, z / size, 151 + i)
    return total, gust


def water(tangents, rows, focal, mirror, above):
    """The lake below the horizon `[R, C, 3]`: mirror image shaken by ripples, over the water's own colour."""
    drop, column = np.meshgrid(-rows, np.arange(tangents.size), indexing="ij")
    z = (CAMERA * focal / np.maximum(drop, 0.25)).astype(np.float32)
    x = tangents[column] * z
    (sx, sz), gust = ripple(x, z, z)
    light = np.zeros((*drop.shape, 3), np.float32)
    spread = focal * (0.004 + 0.016 * gust) * smoothstep(30, 400, z)
    for jitter in (-1.5, -0.9, -0.3, 0.3, 0.9, 1.5):
        target = np.abs(drop + 2 * focal * sz + jitter * spread)
        place = [np.interp(target, above[::-1], np.arange(above.size)[::-1]), column + 2 * focal * sx]
        light += np.stack(
            [map_coordinates(mirror[..., i], place, order=1, mode="nearest") for i in range(3)], -1
        )
    slope = np.clip(drop / focal + sz * 1.5, 0.005, 1)
    fresnel = 0.02 + 0.98 * (1 - slope / np.sqrt(1 + slope**2)) ** 5
    body = mix(
        np.broadcast_to(color(14, 52, 62), light.shape), color(38, 92, 92), smoothstep(0.1, 0.42, slope)
    )
    return mix(body * 0.8, light / 6, np.clip(fresnel * 1.15 + 0.04, 0, 1))


def scene(image, tangents, rows, focal, camera, ground_map):
    """Mountains, near shore and trees over a sky image, from a camera height."""
    for land in ((wooded, shade, NEAR, FAR), (bank, shade_bank, 4.0, 460.0)):
        image = view(image, land, tangents, rows, focal, camera, ground_map)
    return plant(image, tangents, rows, focal, camera)


def render(width: int, height: int):
    """Display values `[height, width, 3]` in [0, 1]."""
    focal = width / 2 / FIELD
    tangents = ((np.arange(width) + 0.5) / width * 2 - 1).astype(np.float32) * np.float32(FIELD)
    rows = (HORIZON * height - np.arange(height) - 0.5).astype(np.float32)
    above, below = rows[rows > 0], rows[rows <= 0]
    ground_map = height_map()
    sky_image = sky(tangents, above / focal, SUN)
    mirror = scene(sky_image, tangents, above, focal, -CAMERA, ground_map)
    lake = water(tangents, below, focal, mirror, above)
    image = scene(np.concatenate([sky_image, lake]), tangents, rows, focal, CAMERA, ground_map)
    return tone(glow(grade(image, 1.12), 0.9, width / 120, 0.14), 0.80)


def main() -> None:
    """Render the lake."""
    run(render, "lake.jpg")


if __name__ == "__main__":
    main()
