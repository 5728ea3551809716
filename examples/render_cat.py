"""Paint a cat's portrait: `python render_cat.py [OUT] [SCALE]`.

Head and chest are blended distance fields (render_fields.py). Their shaded picture is only the underpainting:
the coat is then laid over it hair by hair, each a short stroke that follows the surface and takes its colour.
"""

import numpy as np
from noise import banded, fractal, gradient2, value3
from PIL import Image, ImageDraw
from render_fields import openness, soft_light
from render_light import color, grade, mix, run, smoothstep, tone, vector
from render_rays import dot, unit
from scipy.ndimage import gaussian_filter

EYE, FIELD = np.array([0.0, 0.55, -9.0], np.float32), 0.335
KEY = vector(-0.62, 0.58, -0.55)
KEYLIGHT, ROOM, RIM = color(255, 230, 196) * 2.4, color(126, 142, 176) * 0.60, color(255, 190, 130) * 1.4
HEADS_TURN = 0.30  # radians to the left
EYEBALL, IRIS = (0.50, 0.10, -0.78), 0.25


def at(*xyz: float):
    """A float32 column `[3, 1]`."""
    return np.array(xyz, np.float32)[:, None]


def egg(p, middle, radii):
    """A bound on the distance to an ellipsoid (Quilez)."""
    q = (p - at(*middle)) / at(*radii)
    k0, k1 = np.sqrt(dot(q, q)), np.sqrt(((q / at(*radii)) ** 2).sum(0))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def blend(a, b, width: float):
    """Smooth minimum of two distances."""
    h = np.clip(0.5 + 0.5 * (b - a) / width, 0, 1)
    return b + (a - b) * h - width * h * (1 - h)


def head_space(p):
    """Points in the head's own axes, with x folded onto one side."""
    c, s = np.float32(np.cos(HEADS_TURN)), np.float32(np.sin(HEADS_TURN))
    x, y, z = p - at(0, 0.75, 0)
    x, z = c * x - s * z, s * x + c * z
    return np.stack([np.abs(x), y, z]), x


def ear(q):
    """A pointed shell: a slanting cone, hollowed in front."""
    v = q - at(0.80, 0.76, 0.05)
    height = v[1] * 0.97 + v[0] * 0.22
    across, deep = v[0] * 0.97 - v[1] * 0.22, v[2] - 0.12 * v[1]
    width = 0.56 * np.clip(1.12 - np.clip(height, -0.4, 1.12), 0.02, 1.3) ** 0.8
    shell = np.hypot(across, deep * 1.9) - width
    hollow = np.hypot(across, (deep + 0.26) * 1.5) - width * 0.86
    return np.maximum(np.maximum(shell, -hollow), height - 1.08) * 0.55


def head(p):
    """Skull, cheeks, brow, muzzle, chin and ears."""
    q, _ = head_space(p)
    d = egg(q, (0, 0.08, 0.0), (1.24, 1.06, 1.08))
    d = blend(d, egg(q, (0.70, -0.30, -0.30), (0.66, 0.56, 0.62)), 0.35)
    d = blend(d, egg(q, (0, 0.18, -0.80), (0.30, 0.52, 0.42)), 0.28)
    d = blend(d, egg(q, (0.20, -0.47, -1.08), (0.29, 0.24, 0.29)), 0.12)
    d = blend(d, egg(q, (0, -0.70, -0.93), (0.22, 0.18, 0.24)), 0.14)
    d = blend(d, egg(q, (0, -0.24, -1.27), (0.16, 0.11, 0.13)), 0.10)
    d = -blend(-d, egg(q, (0.52, 0.10, -1.16), (0.34, 0.26, 0.24)), 0.14)
    d = blend(d, np.sqrt(dot(q - at(*EYEBALL), q - at(*EYEBALL))) - 0.335, 0.10)
    d = np.maximum(d, -np.maximum(lids(q), q[2] + 0.7))
    return blend(d, ear(q), 0.16)


def lids(q):
    """The almond between the eyelids, seen from the front; negative where the eye is open."""
    u, v = q[0] - 0.50, q[1] - 0.10
    v = v - 0.30 * u
    height = np.where(v > 0, 0.20, 0.18)
    return (np.abs(v) - height * (1 - (u / 0.325) ** 2)) * 0.7


def eyeball(p):
    """Both eyes."""
    q, _ = head_space(p)
    return np.sqrt(((q - at(*EYEBALL)) ** 2).sum(0)) - 0.30


def body(p):
    """Chest, shoulders and back."""
    q = np.stack([np.abs(p[0] - 0.1), p[1], p[2]])
    d = egg(q, (0, -2.9, 0.75), (1.55, 2.6, 1.35))
    d = blend(d, egg(q, (0.85, -3.2, 0.35), (0.85, 1.7, 0.95)), 0.6)
    return blend(d, egg(q, (0, -1.35, 0.15), (1.0, 1.05, 0.95)), 0.6)


def coat(p):
    """All that has hair."""
    return blend(head(p), body(p), 0.35)


class Field:
    """A distance function with the `field` method that render_fields asks of its solids."""

    def __init__(self, distance):
        self.field = distance


def everything(p):
    """Distance to hair or eyes."""
    return np.minimum(coat(p), eyeball(p))


SCENE = [Field(everything)]


def march(origin, direction, steps: int = 110):
    """Ray lengths; 30 where nothing is met."""
    t = np.full(direction.shape[1], 6.0, np.float32)
    active = np.arange(t.size)
    for _ in range(steps):
        gap = everything(origin + t[active] * direction[:, active]) * 0.85
        t[active] += gap
        active = active[(gap > 0.0015) & (t[active] < 16)]
    return np.where(t < 16, t, 30)


def gradient(distance, p, step: float = 0.012):
    """Unit gradient of a distance function."""
    steps = np.eye(3, dtype=np.float32)[:, :, None] * np.float32(step)
    return unit(np.stack([distance(p + s) - distance(p - s) for s in steps]))


def tabby(p):
    """Coat colour `[N, 3]`: warm grey-brown stripes, pale muzzle and chest, dark lines about the eyes."""
    q, x = head_space(p)
    on_head = smoothstep(0.15, -0.15, head(p) - body(p))
    warp = banded(lambda a, b, c: fractal(value3, a, b, c, octaves=4, seed=3), *(p * 1.7))
    brow = np.sin(13.5 * q[0] / (0.55 + 0.32 * np.clip(q[1], 0, 1.2)) + 1.4 + 1.2 * warp) * smoothstep(
        0.35, 0.75, q[1]
    )
    cheek = (
        np.sin(15 * (q[1] + 0.35 * q[0]) + 2.0 * warp + 1)
        * smoothstep(0.60, 1.0, q[0])
        * smoothstep(0.5, 0.1, q[1])
    )
    flank = np.sin(6.2 * (p[1] + 0.35 * np.abs(p[0] - 0.1)) + 2.6 * warp) * smoothstep(
        0.55, 1.1, np.abs(p[0] - 0.1)
    )
    stripe = on_head * (brow + cheek) + (1 - on_head) * flank
    base = mix(np.broadcast_to(color(142, 110, 80), (x.size, 3)), color(190, 156, 118), 0.5 + 0.7 * warp)
    base = mix(base, color(46, 32, 24), smoothstep(0.0, 0.5, stripe) * 0.92)
    pale = np.maximum(
        smoothstep(0.50, 0.22, np.hypot(q[0] / 1.25, (q[1] + 0.62) * 1.1))
        * smoothstep(-0.5, -0.85, q[2])
        * on_head,
        smoothstep(0.85, 0.35, np.abs(p[0] - 0.1) + 0.25 * warp) * (1 - on_head),
    )
    base = mix(base, color(242, 230, 210), pale)
    return face(q, base, on_head)


def face(q, base, on_head):
    """Add the eye lines, ears, nose and mouth: colour `[N, 3]` and how bare of hair `[N]`."""
    eye = 0.30 + lids(q) * 1.3
    base = mix(base, color(236, 214, 178), smoothstep(0.52, 0.40, eye) * on_head * (q[2] < -0.4) * 0.7)
    base = mix(base, color(34, 22, 18), smoothstep(0.365, 0.33, eye) * on_head * (q[2] < -0.4))
    inner = (
        smoothstep(0.02, -0.12, np.hypot(q[0] - 0.98, (q[1] - 1.22) * 0.6) - 0.30)
        * (q[2] < 0.05)
        * (q[1] > 0.8)
    )
    base = mix(base, color(224, 160, 140), inner * 0.8)
    nose = smoothstep(0.02, -0.02, np.hypot(q[0] / 0.17, (q[1] + 0.24) / 0.10) - 1) * (q[2] < -1.1)
    base = mix(base, color(206, 112, 104), nose)
    mouth = np.minimum(
        np.abs(q[0]) + 9 * np.maximum(np.abs(q[1] + 0.44) - 0.09, 0),
        np.abs(q[1] + 0.52 - 0.22 * (q[0] - 0.22) ** 2 * 6) + 9 * np.maximum(q[0] - 0.34, 0),
    )
    lips = smoothstep(0.04, 0.01, mouth) * (q[2] < -1.0) * on_head
    lined = smoothstep(0.40, 0.33, eye) * on_head * (q[2] < -0.4)
    return mix(base, color(70, 36, 32), lips), np.maximum(np.maximum(nose, 0.75 * lips), lined)


def eye_color(p):
    """Green-gold iris with a slit pupil, shaded under the lid."""
    q, x = head_space(p)
    u, v = x - np.sign(x) * 0.50 - 0.035, q[1] - 0.095  # turned towards the viewer
    radius, angle = np.hypot(u, v) / IRIS, np.arctan2(v, u)
    rays = banded(
        lambda a, b: fractal(gradient2, a, b, octaves=4, seed=7),
        np.cos(angle) * 7 + radius,
        np.sin(angle) * 7,
    )
    iris = mix(color(214, 170, 44), color(92, 140, 58), np.clip(radius * 0.9 + 0.35 * rays, 0, 1))
    iris = iris * (1 - 0.75 * smoothstep(0.86, 1.0, radius))[:, None]
    slit = smoothstep(0.02, -0.02, np.hypot(u / 0.10, v / 0.19) - 1)
    lid = smoothstep(0.20, 0.0, v)
    return mix(iris, color(6, 6, 8), slit) * (0.35 + 0.65 * lid)[:, None]


def shade(p, normal, base):
    """Light leaving the underpainting."""
    key = np.maximum((dot(normal, KEY) + 0.25) / 1.25, 0) * soft_light(
        SCENE, p + 0.04 * normal, KEY, 0.16, reach=5.0
    )
    free = openness(SCENE, p, normal)
    rim = np.maximum(dot(normal, vector(0.85, 0.25, 0.45)), 0) ** 1.5
    return base * (
        key[:, None] * KEYLIGHT
        + (free * (0.65 + 0.35 * normal[1]))[:, None] * ROOM
        + rim[:, None] * RIM * 0.6
    )


def glint(normal, direction):
    """A window in the eyes."""
    mirrored = unit(direction - 2 * dot(direction, normal) * normal)
    facing = mirrored - dot(mirrored, KEY) * KEY[:, None]
    pane = (
        smoothstep(0.24, 0.20, np.abs(facing[0]))
        * smoothstep(0.26, 0.22, np.abs(facing[1]))
        * (dot(mirrored, KEY) > 0)
    )
    return (0.015 + 0.95 * pane)[:, None] * color(230, 238, 255) * 1.6


def background(a, b):
    """A dim room, out of focus: warm window side, cool corner."""
    cloud = banded(lambda x, y: fractal(gradient2, x, y, octaves=5, gain=0.45, seed=11), a * 3.2, b * 3.2)
    base = mix(
        np.broadcast_to(color(52, 70, 78), (*a.shape, 3)),
        color(150, 112, 70),
        smoothstep(0.45, -0.45, a - 0.4 * b + 0.16 * cloud),
    )
    base = mix(base, color(24, 28, 34), smoothstep(0.05, 0.42, 0.6 * a - b + 0.1 * cloud) * 0.6)
    for x, y, size, tint in BOKEH:
        disc = smoothstep(size, size * 0.8, np.hypot(a - x, b - y)) * (
            0.75 + 0.25 * smoothstep(size * 0.5, size, np.hypot(a - x, b - y))
        )
        base = base + disc[..., None] * color(*tint) * 0.16
    return base


BOKEH = (
    (-0.27, 0.19, 0.030, (255, 214, 140)),
    (-0.21, 0.10, 0.022, (255, 196, 120)),
    (-0.30, 0.02, 0.026, (255, 224, 160)),
    (0.28, 0.20, 0.026, (150, 190, 220)),
    (0.24, 0.11, 0.018, (140, 180, 220)),
    (-0.16, 0.22, 0.018, (255, 220, 160)),
)


def hair_flow(p):
    """Which way the hair lies `[3, N]`: away from the nose on the head, down the body."""
    q, x = head_space(p)
    out = np.stack([np.sign(x) * q[0] * 1.0, q[1] + 0.15, 0.9 + 0 * x])
    c, s = np.float32(np.cos(HEADS_TURN)), np.float32(np.sin(HEADS_TURN))
    out = np.stack([c * out[0] + s * out[2], out[1], -s * out[0] + c * out[2]])
    down = np.stack([0.35 * (p[0] - 0.1), -1 + 0 * x, -0.2 + 0 * x])
    on_head = smoothstep(0.10, -0.10, head(p) - body(p))
    return unit(unit(out) * on_head + down * (1 - on_head))


def project(p, width: int, height: int):
    """Picture coordinates of points."""
    q = (p - EYE[:, None]) / (p[2] - EYE[2])
    return (q[0] / FIELD + 1) * width / 2, height / 2 - q[1] / FIELD * width / 2


def groom(light, points, normal, furry, width: int, height: int):
    """Lay hairs over the underpainting (display values `[H, W, 3]`); `points`, `normal` are `[3, H, W]`."""
    rng = np.random.default_rng(5)
    canvas = Image.fromarray((np.clip(light, 0, 1) * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    rows, columns = np.nonzero(furry > 0)
    chosen = rng.choice(rows.size, int(rows.size * 0.16), replace=False)
    rows, columns = rows[chosen], columns[chosen]
    p, n = points[:, rows, columns], normal[:, rows, columns]
    flow = hair_flow(p) + rng.normal(0, 0.22, p.shape).astype(np.float32)
    along = unit(flow - dot(flow, n) * n) + 0.30 * n
    length = (0.13 + 0.12 * smoothstep(-0.6, -1.6, p[1]) + 0.05 * rng.random(rows.size)) * (
        furry[rows, columns] ** 0.7
    )
    x0, y0 = project(p, width, height)
    x1, y1 = project(p + along * length.astype(np.float32), width, height)
    bend = rng.normal(0, 0.10, (2, rows.size)) * np.hypot(x1 - x0, y1 - y0)
    inks = np.clip(
        light[rows, columns] * rng.normal(1.0, 0.14, (rows.size, 1)) + rng.normal(0.01, 0.02, (rows.size, 1)),
        0,
        1,
    )
    for i in np.argsort(-p[2] + 0.3 * rng.random(rows.size)):
        middle = ((x0[i] + x1[i]) / 2 + bend[0, i], (y0[i] + y1[i]) / 2 + bend[1, i])
        draw.line(
            [(x0[i], y0[i]), middle, (x1[i], y1[i])],
            fill=tuple(int(255 * c) for c in inks[i]),
            width=1 + int(i % 3 == 0),
        )
    return canvas


def whiskers(canvas, width: int, height: int) -> None:
    """Draw long pale whiskers from the muzzle."""
    rng, draw = np.random.default_rng(9), ImageDraw.Draw(canvas)
    c, s = np.cos(HEADS_TURN), np.sin(HEADS_TURN)
    for side in (-1, 1):
        for k in range(9):
            t = np.linspace(0, 1, 24)
            x = side * (0.36 + 0.05 * (k % 3) + t * rng.uniform(1.3, 1.9))
            y = 0.75 - 0.42 - 0.06 * (k % 4) + t * rng.uniform(-0.25, 0.42) - 0.55 * t * t
            z = -1.22 + 0.35 * t + 0 * x
            p = np.stack([c * x + s * z, y, -s * x + c * z]).astype(np.float32)
            u, v = project(p, width, height)
            draw.line(list(zip(u, v, strict=True)), fill=(236, 230, 220), width=max(1, width // 900))


def underpaint(a, b):
    """Light `[H, W, 3]`, points and normals `[3, H, W]` (zero off the cat), and furriness."""
    image, (height, width) = background(a, b), a.shape
    points, normals = np.zeros((2, 3, height, width), np.float32)
    furry, band = np.zeros((height, width), np.float32), max(1, 24000 // width)
    for top in range(0, height, band):
        rows = np.s_[top : top + band]
        direction = unit(np.stack([a[rows].ravel(), b[rows].ravel(), np.ones(a[rows].size, np.float32)]))
        t = march(EYE[:, None], direction)
        seen = np.flatnonzero(t < 16)
        if seen.size:
            place = (top + seen // width, seen % width)
            p = EYE[:, None] + t[seen] * direction[:, seen]
            image[place], normal, furry[place] = paint(p, direction[:, seen])
            points[:, place[0], place[1]], normals[:, place[0], place[1]] = p, normal
    return image, points, normals, furry


def paint(p, direction):
    """Light `[N, 3]`, normals `[3, N]` and furriness `[N]` at points of the model."""
    normal, (base, bare) = gradient(everything, p), tabby(p)
    is_eye = eyeball(p) < coat(p)
    base[is_eye] = eye_color(p[:, is_eye])
    light = shade(p, normal, base)
    light[is_eye] += glint(normal, direction)[is_eye] * 0.9
    return light, normal, np.where(is_eye, 0, 1 - 0.98 * np.clip(bare, 0, 1))


def render(width: int, height: int):
    """Display values `[height, width, 3]` in [0, 1]."""
    across = ((np.arange(width) + 0.5) / width * 2 - 1) * FIELD
    up = (height / 2 - np.arange(height) - 0.5) / width * 2 * FIELD
    image, points, normals, furry = underpaint(*(g.astype(np.float32) for g in np.meshgrid(across, up)))
    shown = tone(grade(image, 1.05), 0.95)
    painted = np.asarray(groom(shown, points, normals, furry, width, height), np.float32) / 255
    eyes = gaussian_filter((furry == 0).astype(np.float32) * (points[2] != 0), width / 900)[..., None]
    canvas = Image.fromarray((np.clip(painted * (1 - eyes) + shown * eyes, 0, 1) * 255).astype(np.uint8))
    whiskers(canvas, width, height)
    return np.asarray(canvas, np.float32) / 255


def main() -> None:
    """Render the cat."""
    run(render, "cat.jpg", oversample=2.0)


if __name__ == "__main__":
    main()
