"""Paint cats, as many as there are seeds: `python examples/render_cats.py 3000 -o FOLDER`.

The cat of a seed is always the same. Its head is blended ellipsoids seen from far away, whose depth has a
closed form; coat, light and eyes are painted on that, and the fur is laid over it hair by hair. `--sheet
64` shows the first of them on one picture. cat_shapes.py has the shape, and cat_sketches.py draws the same
cats.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cat_shapes as shapes
import numpy as np
from cat_shapes import SIDES, Shape
from noise import fractal, gradient2
from PIL import Image, ImageDraw
from render_light import color, grade, mix, save, smoothstep, tone
from scipy.ndimage import gaussian_filter

KEY = color(255, 236, 208)
HAIRS = 0.062
"""Hairs for each furry pixel of the finer canvas."""
FINE = 2
"""How much finer hairs are drawn than the picture is."""


@dataclass(frozen=True)
class Coat:
    """Colors and pattern of a coat; colors are linear light [3]."""

    kind: str
    base: np.ndarray
    dark: np.ndarray
    pale: np.ndarray
    white: float  # how far white reaches up the face, 0: not at all
    stripes: float  # their number
    seed: int
    nose: np.ndarray
    skin: np.ndarray
    eyes: tuple[np.ndarray, np.ndarray]
    tint: tuple[float, float, float]


BASES = {
    "ginger": ((214, 138, 66), (150, 72, 24), (246, 218, 180)),
    "brown": ((150, 116, 82), (46, 32, 24), (226, 202, 168)),
    "silver": ((172, 172, 174), (50, 50, 54), (234, 234, 234)),
    "gray": ((112, 118, 130), (70, 74, 86), (168, 174, 186)),
    "cream": ((232, 204, 164), (190, 146, 98), (250, 236, 214)),
    "black": ((42, 39, 40), (18, 17, 18), (74, 70, 70)),
    "white": ((240, 236, 230), (216, 208, 200), (252, 250, 248)),
    "chocolate": ((104, 70, 50), (54, 34, 24), (160, 122, 94)),
}
ALLOWED = {
    "tabby": ("ginger", "brown", "silver", "cream", "gray"),
    "spotted": ("brown", "silver", "ginger", "cream"),
    "tuxedo": ("black", "gray"),
    "calico": ("white",),
    "siamese": ("cream",),
    "plain": ("ginger", "gray", "cream", "black", "white", "chocolate"),
    "bicolor": ("ginger", "gray", "black", "brown", "cream"),
    "tortoise": ("black",),
}
WEIGHTS = (0.30, 0.10, 0.12, 0.09, 0.08, 0.15, 0.11, 0.05)
IRISES = (
    ((226, 184, 52), (150, 140, 40)),
    ((184, 204, 80), (86, 140, 66)),
    ((120, 190, 120), (40, 110, 80)),
    ((232, 150, 50), (160, 80, 20)),
    ((150, 200, 236), (60, 120, 190)),
)


def coat(seed: int) -> Coat:
    """The coat of the cat of a seed."""
    draw = np.random.default_rng((seed, 19))
    kind = str(draw.choice(shapes.COATS, p=WEIGHTS))
    name = str(draw.choice(ALLOWED[kind]))
    base, dark, pale = (color(*rgb) * np.float32(np.exp(draw.normal(0, 0.06))) for rgb in BASES[name])
    if kind == "siamese":
        base, dark = color(236, 220, 194), color(*((66, 46, 40), (96, 92, 104))[draw.integers(2)])
    white = {"tuxedo": 0.72, "bicolor": 1.0, "calico": 0.9}.get(kind, 0.0)
    if kind == "tabby" and draw.random() < 0.35:
        white = 0.6
    light = name in ("ginger", "cream", "white") or kind in ("bicolor", "calico")
    nose = color(*((222, 138, 130) if light or draw.random() < 0.4 else (78, 56, 54)))
    hue = 4 if kind == "siamese" else int(draw.choice(5, p=(0.30, 0.27, 0.18, 0.20, 0.05)))
    near, far = IRISES[hue]
    return Coat(
        kind,
        base,
        dark,
        pale,
        white * float(draw.uniform(0.85, 1.15)),
        float(draw.uniform(0.85, 1.2)),
        int(draw.integers(1 << 16)),
        nose,
        color(226, 164, 150) if kind != "siamese" else color(140, 100, 96),
        (color(*near), color(*far)),
        tint(kind, name, bool(white)),
    )


def tint(kind: str, name: str, white: bool) -> tuple[float, float, float]:
    """A color (sRGB in [0, 1]) that tells a coat from the others: by it a network is told which to paint."""
    base, dark, pale = (np.array(rgb) / 255 for rgb in BASES[name])
    told = {
        "plain": base,
        "tabby": base + (dark - base) * 0.25,
        "spotted": base + (pale - base) * 0.4,
        "bicolor": base + (1 - base) * 0.5,
        "tuxedo": base * 0.75 + np.array((0.02, 0.08, 0.28)),
        "calico": np.array((0.96, 0.60, 0.48)),
        "siamese": np.array((0.72, 0.80, 0.92)),
        "tortoise": np.array((0.45, 0.20, 0.10)),
    }[kind]
    if kind == "tabby" and white:
        told = told + (1 - told) * 0.2
    red, green, blue = (float(round(x, 3)) for x in told)
    return red, green, blue


def tints() -> list[tuple[float, float, float]]:
    """Colors of coats to choose from, neighbors unlike."""
    chosen = ("tabby ginger", "tuxedo black", "tabby silver", "calico white", "plain gray", "tabby brown")
    chosen += (
        "siamese cream",
        "bicolor ginger",
        "plain black",
        "spotted brown",
        "plain white",
        "tortoise black",
    )
    return [tint(*words.split(), False) for words in chosen]


@dataclass(frozen=True)
class Light:
    """Light and background: a direction [3] towards the key light, colors of linear light [3]."""

    key: np.ndarray
    warmth: np.ndarray
    sky: np.ndarray
    rim: np.ndarray
    wall: tuple[np.ndarray, np.ndarray]
    spots: tuple[tuple[float, float, float, float], ...]
    seed: int


WALLS = (
    ((150, 118, 76), (44, 58, 68)),
    ((96, 120, 122), (38, 46, 52)),
    ((150, 160, 140), (70, 92, 74)),
    ((186, 170, 152), (120, 100, 86)),
    ((120, 132, 160), (48, 52, 76)),
    ((176, 140, 128), (92, 66, 70)),
)


DARK = 0.12
"""Mean linear light below which a coat is dark."""


def light(seed: int, fur: Coat) -> Light:
    """The light of the picture of a seed; that of a dark cat, which a dark room would hide, is bright."""
    draw = np.random.default_rng((seed, 20))
    side = draw.choice([-1.0, 1.0])
    key = np.array([side * draw.uniform(0.25, 0.65), draw.uniform(0.35, 0.65), draw.uniform(0.6, 0.85)])
    near, far = (color(*rgb) for rgb in WALLS[draw.integers(len(WALLS))])
    dark = float(fur.base.mean()) < DARK
    if dark:
        near, far = mix(near, color(236, 228, 216), 0.35), mix(far, near, 0.65)
    spots = tuple(
        (draw.uniform(0, 1), draw.uniform(0.02, 0.6), draw.uniform(0.02, 0.05), draw.uniform(0.03, 0.10))
        for _ in range(draw.integers(0, 7))
    )
    warmth = KEY * np.float32(draw.uniform(1.45, 1.9))
    sky = color(150, 164, 190) * np.float32(draw.uniform(0.75, 1.0))
    rim = color(255, 206, 150) * np.float32(draw.uniform(0.2, 0.7)) * (2.5 if dark else 1)
    return Light(
        (key / np.linalg.norm(key)).astype(np.float32), warmth, sky, rim, (near, far), spots, int(seed)
    )


# The underpainting


def patches(x, y, z, seed: int, scale: float):
    """Smooth noise on a solid, about [-1, 1]: two planes' noise, so that it does not smear sideways."""
    a = fractal(gradient2, x * scale + 7.3, y * scale - 3.1, octaves=3, seed=seed)
    return 0.75 * a + 0.35 * fractal(gradient2, z * scale - 1.7, y * scale + 5.9, octaves=2, seed=seed + 9)


def face_colors(cat: Shape, fur: Coat, p):
    """Coat of the head [H, W, 3] at points p of head space."""
    x, y, z = p
    side, front = np.abs(x), smoothstep(0.25, 0.85, z)
    warp = patches(x, y, z, fur.seed, 1.5)
    base = mix(np.broadcast_to(fur.base, (*x.shape, 3)), fur.pale, np.clip(0.16 + 0.34 * warp, 0, 1))
    base = mix(base, fur.dark, 0.25 * smoothstep(0.2, 1.2, y + 0.3 * warp))
    if fur.kind in ("tabby", "spotted", "bicolor") and not np.allclose(fur.base, fur.dark):
        base = mix(base, fur.dark, face_stripes(fur, side, y, warp))
    if fur.kind in ("tabby", "spotted", "plain"):
        around = smoothstep(0.62, 0.25, np.hypot(side - 0.50, (y - 0.02) * 1.15)) * front
        muzzle = smoothstep(0.55, 0.26, np.hypot(x / 1.2, y + 0.56)) * front
        amount = 0.25 if fur.kind == "plain" else 0.75
        base = mix(base, fur.pale, amount * np.maximum(muzzle, 0.5 * around))
    if fur.kind == "siamese":
        mask = smoothstep(0.95, 0.2, np.hypot(x * 0.95, (y + 0.22) * 0.9) + 0.15 * warp) * front
        base = mix(base, fur.dark, 0.94 * mask)
    if fur.kind in ("calico", "tortoise"):
        base = mottle(fur, base, x, y, z)
    return whiten(fur, base, x, y, warp, front)


def face_stripes(fur: Coat, side, y, warp):
    """How dark stripes make the face: the brow's M, the cheeks' lines, and eyeliner."""
    n = fur.stripes
    if fur.kind == "spotted":
        brow = smoothstep(0.1, 0.55, np.sin(14 * n * side + 1.2 + warp) * np.sin(9 * n * y + 2 * warp) + 0.1)
        brow = brow * smoothstep(0.35, 0.6, y)
    else:
        wave = np.sin(12.5 * n * side / (0.55 + 0.34 * np.clip(y, 0, 1.2)) + 1.5 + 0.8 * warp)
        brow = smoothstep(-0.05, 0.6, wave) * smoothstep(0.36, 0.62, y)
    wave = np.sin(12.5 * n * (y + 0.42 * side) + 1.4 * warp + 1)
    cheek = smoothstep(0.0, 0.6, wave) * smoothstep(0.72, 0.98, side) * smoothstep(0.45, 0.15, y)
    return np.maximum(brow, cheek) * 0.88


def mottle(fur: Coat, base, x, y, z):
    """Patches of ginger and black, as queens have."""
    ginger, black = color(206, 122, 56), color(34, 30, 30)
    one, two = patches(x, y, z, fur.seed + 3, 0.85), patches(x, y, z, fur.seed + 5, 1.0)
    if fur.kind == "tortoise":
        fleck = patches(x, y, z, fur.seed + 8, 2.6)
        return mix(base, ginger * 0.8, smoothstep(0.02, 0.28, one + 0.5 * fleck) * 0.9)
    high = smoothstep(-0.5, 0.1, y)
    lean = 0.5 * np.sign(np.sin(fur.seed)) * np.clip(x * 1.2, -0.7, 0.7)
    base = mix(base, ginger, smoothstep(-0.02, 0.06, one + lean + 0.08) * high)
    return mix(base, black, smoothstep(-0.02, 0.06, two - lean - 0.05) * high)


def whiten(fur: Coat, base, x, y, warp, front):
    """A white muzzle, and a blaze up between the eyes if the white reaches far."""
    if not fur.white:
        return base
    low = smoothstep(
        0.06, -0.06, np.hypot(x * 0.86, (y + 0.72) * 0.95) - 0.50 * (0.5 + 0.5 * fur.white) + 0.06 * warp
    )
    width = 0.30 * np.clip(fur.white - 0.62, 0, 0.5) * (1.1 - 0.5 * np.clip(y, 0, 1))
    blaze = (
        smoothstep(0.04, -0.04, np.abs(x + 0.05 * warp) - width) * (width > 0.01) * smoothstep(0.9, 0.6, y)
    )
    return mix(base, color(244, 240, 234), np.maximum(low, blaze) * np.maximum(front, 0.3))


def body_colors(fur: Coat, x, y, z, to: float):
    """Coat of neck and chest [H, W, 3]."""
    off = np.abs(x - to)
    warp = patches(x, y, z, fur.seed + 1, 1.1)
    base = mix(np.broadcast_to(fur.base, (*x.shape, 3)), fur.pale, np.clip(0.12 + 0.3 * warp, 0, 1))
    if fur.kind in ("tabby", "bicolor"):
        wave = np.sin(5.6 * fur.stripes * (y + 0.30 * off) + 2.2 * warp)
        base = mix(base, fur.dark, smoothstep(0.0, 0.6, wave) * smoothstep(0.55, 0.95, off) * 0.85)
    if fur.kind == "spotted":
        spot = np.sin(7.5 * x + warp) * np.sin(6.0 * y + 1.5 * warp)
        base = mix(base, fur.dark, smoothstep(0.25, 0.6, np.abs(spot)) * smoothstep(0.4, 0.8, off) * 0.85)
    if fur.kind in ("tabby", "spotted", "siamese"):
        base = mix(base, fur.pale, 0.7 * smoothstep(0.75, 0.2, off + 0.2 * warp))
    if fur.kind in ("calico", "tortoise"):
        base = mottle(fur, base, x, y + 2.6, z)
    if fur.white:
        bib = smoothstep(0.06, -0.06, off - 0.62 * fur.white + 0.10 * warp)
        base = mix(base, color(244, 240, 234), bib)
    return base


@dataclass
class Layers:
    """What is painted so far, on a grid of view coordinates x and y in head units."""

    x: np.ndarray
    y: np.ndarray
    unit: float  # pixels of a head unit
    image: np.ndarray  # [H, W, 3], linear light
    furry: np.ndarray  # [H, W], 0 where no hair grows
    flow: np.ndarray  # [2, H, W], where hair points to
    order: np.ndarray  # [H, W], hairs of low order lie below others

    def edge(self, distance):
        """Coverage of what is inside where the distance is negative, a pixel soft."""
        return np.clip(0.5 - distance * self.unit, 0, 1)

    def lay(self, colors, mask, flow, order) -> None:
        """Paint a furry part over what there is."""
        self.image = mix(self.image, colors, mask)
        inside = mask > 0.5
        self.furry = np.maximum(self.furry, mask)
        self.flow = np.where(inside, flow, self.flow)
        self.order = np.where(inside, order, self.order)


def lit(normal, base, sun: Light, free):
    """Light that leaves fur of a color [H, W, 3] with normals [3, H, W]; `free`: the share of sky it sees."""
    facing = np.tensordot(sun.key, normal, 1)
    key = np.maximum((facing + 0.35) / 1.35, 0) ** 1.2
    edge = np.clip(1 - normal[2], 0, 1) ** 3 * np.maximum(0, 0.3 + 0.7 * normal[1])
    shine = (key * free)[..., None] * sun.warmth + (free * (0.62 + 0.38 * normal[1]))[
        ..., None
    ] * sun.sky * 0.85
    return base * shine + edge[..., None] * sun.rim * (0.25 * base + 0.05)


def normals(depth, unit: float, soft: float):
    """Normals [3, H, W] of a depth, a little smoothed."""
    smooth = gaussian_filter(depth, soft)
    down, right = np.gradient(smooth * np.float32(unit))
    n = np.stack([-right, down, np.ones_like(down)])
    return n / np.sqrt((n * n).sum(0))


def background(layers: Layers, sun: Light) -> None:
    """Paint the room, out of focus."""
    side = layers.x.shape[0]
    row, column = (np.mgrid[:side, :side].astype(np.float32) + 0.5) / side
    cloud = fractal(gradient2, column * 2.5, row * 2.5, octaves=3, seed=sun.seed)
    across = 0.5 - 0.5 * (column * 2 - 1) * np.sign(sun.key[0]) * -1
    near, far = sun.wall
    image = mix(
        np.broadcast_to(far, (side, side, 3)),
        near,
        smoothstep(0.15, 0.95, across + 0.25 * cloud - 0.25 * row),
    )
    for x, y, size, strength in sun.spots:
        disc = smoothstep(size, size * 0.8, np.hypot(column - x, row - y))
        image = image + disc[..., None] * (near + 0.2) * strength
    layers.image = image * (1 - 0.25 * smoothstep(0.4, 0.75, np.hypot(column - 0.5, row - 0.5)))[..., None]


def body(layers: Layers, cat: Shape, fur: Coat, sun: Light) -> None:
    """Paint neck and chest in the shadow of the head."""
    x, y, solids = layers.x, layers.y, shapes.body(cat)
    depth = solids.depth(x, y, 0.25)
    mask = layers.edge(solids.outline(x, y, 0.3))
    over = shapes.head(cat).outline(x + 0.25 * sun.key[0], y + 0.35, 0.12)
    shadow = 1 - 0.62 * smoothstep(0.25, -0.35, over)
    warp = patches(x, y, depth, fur.seed + 2, 1.2)
    to = cat.body[1]
    colors = lit(
        normals(depth, layers.unit, 2), body_colors(fur, x, y, depth, to), sun, shadow * (0.92 + 0.12 * warp)
    )
    flow = np.stack([0.35 * (x - to) + 0.35 * warp, -np.ones_like(x)])
    layers.lay(colors, mask, flow / np.hypot(*flow), -10 - y)


def ears(layers: Layers, cat: Shape, fur: Coat, sun: Light) -> None:
    """Paint the ears: a furry back edge round a pink hollow."""
    for side in sorted(SIDES, key=lambda s: s * cat.turn):
        outer, inner = (shapes.ear_curve(cat, side, hollow) for hollow in (False, True))
        base, tip = (outer[0] + outer[-1]) / 2, outer[len(outer) // 2]
        along = (tip - base) / np.linalg.norm(tip - base)
        high = ((layers.x - base[0]) * along[0] + (layers.y - base[1]) * along[1]) / np.linalg.norm(
            tip - base
        )
        beside = (layers.x - base[0]) * along[1] - (layers.y - base[1]) * along[0]
        shade = fur.base if fur.kind not in ("calico", "tortoise", "siamese") else ear_color(fur, side)
        colors = mix(np.broadcast_to(shade, (*high.shape, 3)), fur.dark, 0.35 * smoothstep(0.35, 1.0, high))
        facing = 0.55 + 0.45 * np.clip(side * sun.key[0] + 0.6, 0, 1)
        colors = colors * (facing * (sun.warmth * 0.8 + sun.sky * 0.5))
        flow = np.stack([along[0] + 0.9 * beside * along[1], along[1] - 0.9 * beside * along[0]])
        layers.lay(colors, drawn(layers, [outer]), flow / np.hypot(*flow), -5 - high)
        hollow = gaussian_filter(drawn(layers, [inner]), 0.012 * layers.unit)
        pink = mix(
            np.broadcast_to(fur.skin * 0.75, colors.shape), fur.skin * 0.22, smoothstep(0.75, 0.05, high)
        )
        pink = pink * (facing * (sun.warmth * 0.7 + sun.sky * 0.45))
        layers.image = mix(layers.image, pink, hollow * 0.92)
        layers.furry = layers.furry * (1 - 0.8 * hollow)


def ear_color(fur: Coat, side: float):
    """An ear of a coat whose ears are not of its base color."""
    if fur.kind == "siamese":
        return fur.dark
    return color(206, 122, 56) if (side > 0) == (np.sin(fur.seed) > 0) else color(40, 36, 36)


def drawn(layers: Layers, polygons) -> np.ndarray:
    """Coverage [H, W] of polygons in view coordinates."""
    side, fine = layers.x.shape[0], 3
    canvas = Image.new("L", (side * fine, side * fine))
    pen = ImageDraw.Draw(canvas)
    for points in polygons:
        pen.polygon([tuple(p) for p in (pixels(layers, points) * fine).tolist()], fill=255)
    return np.asarray(canvas.reduce(fine), np.float32) / 255


def pixels(layers: Layers, points):
    """Picture coordinates of view coordinates [N, 2]."""
    x0, y0 = layers.x[0, 0], layers.y[0, 0]
    return np.stack([(points[:, 0] - x0) * layers.unit + 0.5, (y0 - points[:, 1]) * layers.unit + 0.5], 1)


def head(layers: Layers, cat: Shape, fur: Coat, sun: Light) -> None:
    """Paint the head without eyes, nose and mouth."""
    x, y, solids, axes = layers.x, layers.y, shapes.head(cat), cat.axes
    depth = solids.depth(x, y, 0.09)
    distance = solids.outline(x, y, 0.12)
    p = np.tensordot(axes.T, np.stack([x, y, depth]), 1)
    base = face_colors(cat, fur, p)
    hollow = np.clip(gaussian_filter(depth, 0.16 * layers.unit) - depth, -0.2, 0.35)
    free = np.clip(1 - 1.1 * hollow, 0.4, 1.15)
    for side in SIDES:
        u, v = shapes.eye_plane(cat, side).place(x, y)
        near = distance_of(layers, shapes.lids(cat, side, u, v))
        base = mix(base, fur.pale, smoothstep(0.17, 0.08, near) * 0.45 * (fur.kind != "siamese"))
        base = mix(base, color(24, 18, 16), smoothstep(0.07, 0.03, near) * 0.92)
    colors = lit(normals(depth, layers.unit, 1.2), base, sun, free)
    lash = np.stack([p[0] * 1.05, p[1] + 0.22, 0.35 + 0 * x])
    flow = np.tensordot(axes[:2], lash / np.sqrt((lash * lash).sum(0)), 1)
    out = np.hypot(p[0], p[1] + 0.25)
    layers.lay(colors, layers.edge(distance), flow / np.maximum(np.hypot(*flow), 1e-3), 5 - out)


def features(layers: Layers, cat: Shape, fur: Coat, sun: Light):
    """Eyes, nose and mouth as linear light [H, W, 3] and their coverage [H, W]."""
    x, y = layers.x, layers.y
    image, cover = layers.image.copy(), np.zeros_like(x)
    for side in SIDES:
        u, v = shapes.eye_plane(cat, side).place(x, y)
        away = distance_of(layers, shapes.lids(cat, side, u, v))
        opened, rim = layers.edge(away), smoothstep(0.055, 0.02, away)
        image = mix(image, color(20, 15, 14), rim)
        image = mix(image, eye_colors(cat, fur, sun, side, u, v), opened)
        cover = np.maximum(cover, rim)
    nose = drawn(layers, [shapes.nose_curve(cat)])
    u, v = shapes.nose_plane(cat).place(x, y)
    skin = (
        fur.nose * (0.55 + 0.75 * smoothstep(-0.12, 0.08, v))[..., None] * (sun.warmth * 0.6 + sun.sky * 0.35)
    )
    nostril = smoothstep(0.05, 0.02, np.hypot((np.abs(u) - 0.07), (v + 0.02) * 1.6))
    skin = mix(skin, fur.nose * 0.12, nostril * 0.85)
    skin = skin + (smoothstep(0.06, 0.0, np.hypot(u * 0.7 - 0.02, v - 0.055)) * 0.12)[..., None]
    image = mix(image, skin, nose)
    return image, np.maximum(cover, nose)


def distance_of(layers: Layers, measure):
    """The distance to where a measure [H, W] is 0, near there, by its slope."""
    down, right = np.gradient(measure * np.float32(layers.unit))
    return measure / np.maximum(np.hypot(down, right), 0.3)


def eye_colors(cat: Shape, fur: Coat, sun: Light, side: float, u, v):
    """An eyeball [H, W, 3] at places of its plane."""
    (cx, cy), radius = shapes.iris(cat, side)
    a, b = u - cx, v - cy
    r, angle = np.hypot(a, b) / radius, np.arctan2(b, a)
    rays = 0.5 * np.sin(23 * angle + 3 * np.sin(5 * angle)) + 0.5 * np.sin(41 * angle + 1)
    near, far = fur.eyes
    ball = mix(
        np.broadcast_to(far, (*u.shape, 3)),
        near,
        np.clip(0.25 + 0.95 * (1 - r) + 0.12 * rays - 0.5 * b / radius, 0, 1),
    )
    ball = ball * (1 - 0.8 * smoothstep(0.84, 1.04, r))[..., None]
    ball = mix(ball, color(60, 44, 38), smoothstep(1.0, 1.15, r))
    tall = radius * (0.72 + 0.12 * cat.pupil)
    slit = np.hypot(a / (radius * cat.pupil * 0.78), b / tall)
    ball = mix(ball, color(6, 6, 8), smoothstep(1.10, 0.92, slit))
    top = shapes.EYE[1] * cat.eye_size * cat.eye_open
    shade = 0.40 + 0.60 * smoothstep(top * 1.0, top * 0.05, v - cat.eye_slant * u * side)
    ball = ball * (shade * 1.15)[..., None] * (sun.warmth * 0.55 + sun.sky * 0.35)
    gx, gy = a - np.sign(sun.key[0]) * 0.40 * radius, b - 0.36 * radius
    glint = smoothstep(0.24, 0.15, np.hypot(gx, gy * 0.85) / radius)
    low = smoothstep(0.5, 0.1, np.hypot(a + np.sign(sun.key[0]) * 0.35 * radius, b + 0.5 * radius) / radius)
    return ball + (glint * 1.6)[..., None] + (0.10 * low)[..., None] * near


# Hair


def groom(shown, layers: Layers, cat: Shape, draw: np.random.Generator) -> Image.Image:
    """Lay hairs over display values [H, W, 3]; a finer picture."""
    side = shown.shape[0]
    canvas = Image.fromarray((np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8))
    canvas = canvas.resize((side * FINE, side * FINE), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(canvas)
    count = int(HAIRS * FINE**2 * side * side)
    at = draw.integers(0, side, (2, count))
    at = at[:, draw.random(count) < layers.furry[at[0], at[1]]]
    row, column = at
    order, flow = layers.order[row, column], layers.flow[:, row, column]
    turn = draw.normal(0, 0.22, row.size)
    dx, dy = flow[0] * np.cos(turn) - flow[1] * np.sin(turn), flow[0] * np.sin(turn) + flow[1] * np.cos(turn)
    on_head = order > 0
    length = np.where(on_head, 0.07 + 0.055 * np.clip(5 - order, 0, 1.6), np.where(order > -8, 0.085, 0.20))
    # Hair of a narrow coat lies close; about the eyes it is shortest.
    length = length * cat.fur * draw.uniform(0.7, 1.25, row.size) * layers.unit * FINE
    x0, y0 = ((axis + draw.random(row.size)) * FINE for axis in (column, row))
    bend = draw.normal(0, 0.12, row.size) * length
    x1, y1 = x0 + dx * length, y0 - dy * length
    xm, ym = (x0 + x1) / 2 - dy * bend, (y0 + y1) / 2 - dx * bend
    ink = shown[row, column] * draw.normal(1.0, 0.13, (row.size, 1)) + draw.normal(0.008, 0.02, (row.size, 1))
    ink = (np.clip(ink, 0, 1) * 255).astype(int)
    sort = np.argsort(order + 0.15 * draw.random(row.size))
    lines = np.stack([x0, y0, xm, ym, x1, y1], 1)[sort].tolist()
    inks, thick = [tuple(c) for c in ink[sort].tolist()], (draw.random(row.size) < 0.35).tolist()
    for line, fill, wide in zip(lines, inks, thick, strict=True):
        pen.line(line, fill=fill, width=2 if wide else 1)
    return canvas


def lines_over(
    canvas: Image.Image, layers: Layers, cat: Shape, fur: Coat, draw: np.random.Generator
) -> Image.Image:
    """Draw the mouth and the whiskers over all."""
    scale = canvas.width / layers.x.shape[0]
    thick = layers.unit * scale / 110
    mouth, hairs = (Image.new("L", canvas.size) for _ in range(2))
    pen = ImageDraw.Draw(mouth)
    for curve in shapes.mouth_curves(cat):
        pen.line(
            (pixels(layers, curve) * scale).ravel().tolist(),
            fill=190,
            width=max(1, round(3.2 * thick)),
            joint="curve",
        )
    pen = ImageDraw.Draw(hairs)
    for curve in shapes.whisker_curves(cat, draw):
        points = (pixels(layers, curve) * scale).ravel().tolist()
        pen.line(points[:16], fill=235, width=max(1, round(1.5 * thick)))
        pen.line(points[14:], fill=170, width=max(1, round(1.0 * thick)))
    image = np.asarray(canvas, np.float32)
    dim = gaussian_filter(np.asarray(mouth, np.float32) / 255, 0.8 * thick)
    image = mix(image, np.array([52, 30, 28], np.float32), dim)
    image = mix(image, np.array([242, 238, 230], np.float32), np.asarray(hairs, np.float32) / 255 * 0.85)
    return Image.fromarray(np.clip(image + 0.5, 0, 255).astype(np.uint8))


def render(seed: int, side: int = 256) -> Image.Image:
    """The picture of the cat of a seed."""
    cat, fur = shapes.shape(seed), coat(seed)
    sun = light(seed, fur)
    draw = np.random.default_rng((seed, 21))
    layers = blank(cat, side)
    background(layers, sun)
    for paint in (body, ears, head):
        paint(layers, cat, fur, sun)
    image, bare = features(layers, cat, fur, sun)
    layers.furry = layers.furry * (1 - np.clip(bare * 1.4, 0, 1))
    shown = tone(grade(layers.image, 0.94), 0.95)
    canvas = groom(shown, layers, cat, draw)
    clear = Image.fromarray((np.clip(tone(grade(image, 0.94), 0.95), 0, 1) * 255 + 0.5).astype(np.uint8))
    mask = Image.fromarray((np.clip(bare, 0, 1) * 255).astype(np.uint8))
    canvas.paste(
        clear.resize(canvas.size, Image.Resampling.BICUBIC),
        mask=mask.resize(canvas.size, Image.Resampling.BICUBIC),
    )
    return lines_over(canvas, layers, cat, fur, draw).resize((side, side), Image.Resampling.LANCZOS)


def blank(cat: Shape, side: int) -> Layers:
    """An empty picture with the view's coordinates of each pixel."""
    unit = cat.size * side
    row, column = np.mgrid[:side, :side].astype(np.float32) + 0.5
    x, y = (column - cat.place[0] * side) / unit, (cat.place[1] * side - row) / unit
    zero = np.zeros_like(x)
    return Layers(
        x, y, unit, np.zeros((side, side, 3), np.float32), zero, np.zeros((2, side, side)), zero - 20
    )


def write(picture: Image.Image, path: Path) -> None:
    """Write a picture whole or not at all."""
    picture.save(part := path.with_suffix(".part"), "PNG")
    part.replace(path)


def show(pictures: list[Image.Image], path: Path, across: int = 8) -> None:
    """Write a sheet of square pictures as a JPEG of 128 pixels a picture."""
    side, rows = pictures[0].width, -(-len(pictures) // across)
    sheet = Image.new("RGB", (across * side, rows * side), "white")
    for place, picture in enumerate(pictures):
        sheet.paste(picture, (place % across * side, place // across * side))
    save(np.asarray(sheet, np.float32) / 255, path, (across * 128, rows * 128))


def asked(about: str, what: str, count: int) -> argparse.Namespace:
    """The command line of a renderer of so many pictures."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument(
        "count", type=int, nargs="?", default=count, help=f"{what}, of the seeds from --first on"
    )
    parser.add_argument("-o", "--output", type=Path, default=Path(what), help="folder, or the sheet's JPEG")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--size", type=int, default=256, help="side of a picture in pixels")
    parser.add_argument("--sheet", type=int, default=0, help=f"so many {what} on one picture instead")
    return parser.parse_args()


def main() -> None:
    """Render the cats asked for, or a sheet of them."""
    chosen = asked(__doc__, "cats", 64)
    if chosen.sheet:
        seeds = range(chosen.first, chosen.first + chosen.sheet)
        show([render(seed, chosen.size) for seed in seeds], chosen.output)
        return
    chosen.output.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.first, chosen.first + chosen.count):
        path = chosen.output / f"{seed:05d}.png"
        if not path.exists():  # so that a broken run goes on
            write(render(seed, chosen.size), path)


if __name__ == "__main__":
    main()
