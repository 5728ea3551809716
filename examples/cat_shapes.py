"""The shape of a cat's portrait: numbers drawn from a seed, its solids, and the curves that one would draw.

Head space: x to the viewer's right, y up, z towards the viewer, the skull's middle at 0 and its radius about
1.2. The view is from far away, so that turning and projecting are one matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]  # [N, 2], x to the right and y up, in head units from the head's middle
COATS = ("tabby", "spotted", "tuxedo", "calico", "siamese", "plain", "bicolor", "tortoise")
SIDES = (-1.0, 1.0)


@dataclass(frozen=True)
class Shape:
    """The numbers of one cat's shape; lengths are in head units, angles in radians."""

    turn: float
    nod: float
    tilt: float
    size: float  # one head unit, as a share of the picture's side
    place: tuple[float, float]  # of the head's middle, as shares of the side
    wide: float
    tall: float
    cheeks: float
    muzzle: float
    ear_height: float
    ear_width: float
    ear_apart: float
    ear_lean: float
    ear_round: float
    eye_size: float
    eye_open: float
    eye_slant: float
    eye_apart: float
    eye_high: float
    nose: float
    pupil: float
    gaze: tuple[float, float]
    mouth: float
    body: tuple[float, float]  # how wide the chest is, and how far it is to one side
    fur: float
    whiskers: int

    @property
    def axes(self) -> NDArray[np.float32]:
        """The matrix from head space to the view."""
        (cy, sy), (cx, sx), (cz, sz) = ((np.cos(a), np.sin(a)) for a in (self.turn, self.nod, self.tilt))
        turn = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        nod = np.array([[1, 0, 0], [0, cx, sx], [0, -sx, cx]])
        tilt = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        return (tilt @ nod @ turn).astype(np.float32)


def shape(seed: int) -> Shape:
    """The shape of the cat of a seed."""
    draw = np.random.default_rng((seed, 18))

    def about(middle: float, spread: float, most: float = 2.0) -> float:
        return float(middle + spread * np.clip(draw.normal(), -most, most))

    def within(low: float, high: float) -> float:
        return float(draw.uniform(low, high))

    size = within(0.185, 0.275)
    return Shape(
        turn=about(0, 0.22),
        nod=about(0.02, 0.08),
        tilt=about(0, 0.085),
        size=size,
        place=(about(0.5, 0.035), max(0.47, 1.9 * size + 0.03) + about(0.01, 0.02)),
        wide=within(0.92, 1.20),
        tall=within(0.90, 1.07),
        cheeks=within(0.8, 1.2),
        muzzle=within(0.9, 1.2),
        ear_height=within(0.68, 1.25),
        ear_width=within(0.86, 1.25),
        ear_apart=within(0.92, 1.10),
        ear_lean=within(-0.06, 0.40),
        ear_round=within(0.1, 1.0),
        eye_size=within(0.88, 1.22),
        eye_open=within(0.80, 1.20) if draw.random() < 0.6 else within(1.2, 1.55),
        eye_slant=within(0.06, 0.36),
        eye_apart=within(0.44, 0.56),
        eye_high=about(0.07, 0.05),
        nose=within(0.9, 1.35),
        pupil=float(draw.choice([0.22, 0.36, 0.55, 0.8])) * within(0.85, 1.2),
        gaze=(about(0, 0.035), about(0.0, 0.02)),
        mouth=within(0.8, 1.2),
        body=(within(0.86, 1.14), about(0, 0.22)),
        fur=within(0.75, 1.5),
        whiskers=int(draw.integers(4, 8)),
    )


# Solids


@dataclass(frozen=True)
class Solids:
    """Ellipsoids in the view's space: middles [E, 3] and the inverse squares of their shape [E, 3, 3]."""

    middles: NDArray[np.float32]
    shapes: NDArray[np.float32]

    def outline(self, x, y, soft: float):
        """Signed distance to their blended silhouette, about; negative inside."""
        total = np.zeros_like(x)
        for middle, m in zip(self.middles, self.shapes, strict=True):
            dx, dy = x - middle[0], y - middle[1]
            s = m[:2, :2] - np.outer(m[:2, 2], m[2, :2]) / m[2, 2]
            gx, gy = s[0, 0] * dx + s[0, 1] * dy, s[1, 0] * dx + s[1, 1] * dy
            q = np.sqrt(np.maximum(dx * gx + dy * gy, 1e-6))
            distance = (q - 1) * q / np.maximum(np.hypot(gx, gy), 1e-6)
            total += np.exp(np.clip(-distance / soft, -40, 40))
        return -soft * np.log(np.maximum(total, 1e-20))

    def depth(self, x, y, soft: float):
        """How far towards the viewer their blended front is; it falls away beyond the silhouette."""
        fronts = []
        for middle, m in zip(self.middles, self.shapes, strict=True):
            dx, dy = x - middle[0], y - middle[1]
            b = m[0, 2] * dx + m[1, 2] * dy
            c = m[0, 0] * dx * dx + 2 * m[0, 1] * dx * dy + m[1, 1] * dy * dy - 1
            inner = b * b - m[2, 2] * c
            root = np.where(inner > 0, np.sqrt(np.maximum(inner, 0)), -2 * np.sqrt(np.maximum(-inner, 0)))
            fronts.append(middle[2] + (root - b) / m[2, 2])
        top = np.max(fronts, 0)
        return top + soft * np.log(sum(np.exp((front - top) / soft) for front in fronts))


def solids(parts: list[tuple[tuple[float, float, float], tuple[float, float, float]]], axes) -> Solids:
    """Ellipsoids of (middle, radii) after the matrix `axes`."""
    middles = np.array([axes @ np.array(middle, np.float32) for middle, _ in parts], np.float32)
    shapes = [axes @ np.diag(1 / np.square(radii)) @ axes.T for _, radii in parts]
    return Solids(middles, np.array(shapes, np.float32))


def head_parts(cat: Shape):
    """Skull, cheeks, brow, muzzle, chin and nose in head space, as (middle, radii)."""
    w, t, m = cat.wide, cat.tall, cat.muzzle
    parts = [((0, 0.10, 0), (1.20 * w, 1.04 * t, 1.08)), ((0, 0.14, 0.78), (0.30, 0.50, 0.40))]
    for side in SIDES:
        parts.append(((side * 0.70 * w, -0.32 * t, 0.26), (0.60 * cat.cheeks * w, 0.52 * t, 0.60)))
        parts.append(((side * 0.21 * m, -0.49 * t, 0.98), (0.31 * m, 0.25 * m, 0.30)))
    parts.append(((0, -0.70 * t, 0.84), (0.25 * m, 0.19, 0.25)))
    parts.append(((0, -0.27 * t, 1.12), (0.17, 0.13, 0.14)))
    return parts


def body_parts(cat: Shape):
    """Neck, chest and shoulders, as (middle, radii)."""
    w, to = cat.body
    parts = [((0.5 * to, -1.35, -0.35), (0.98 * w, 1.1, 0.85)), ((to, -3.1, -0.75), (1.50 * w, 2.3, 1.25))]
    for side in SIDES:
        parts.append(((to + side * 0.92 * w, -3.3, -0.45), (0.80 * w, 1.6, 0.9)))
    return parts


# Curves


def bend(points, count: int = 12) -> Points:
    """A smooth curve through points [N, D] (Catmull-Rom), `count` steps between neighbours."""
    p = np.asarray(points, np.float32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)[:, None]
    parts = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False)
    ]
    return np.concatenate([*parts, p[-2:-1]]).astype(np.float32)


@dataclass(frozen=True)
class Plane:
    """A small flat piece of the face in the view: its middle, and where its own x and y point."""

    middle: NDArray[np.float32]  # [2]
    axes: NDArray[np.float32]  # [2, 2], columns

    def view(self, points) -> Points:
        """Points [N, 2] of the plane in the view."""
        return (self.middle + np.asarray(points, np.float32) @ self.axes.T).astype(np.float32)

    def place(self, x, y):
        """Where the view's points are in the plane."""
        inverse = np.linalg.inv(self.axes)
        dx, dy = x - self.middle[0], y - self.middle[1]
        return inverse[0, 0] * dx + inverse[0, 1] * dy, inverse[1, 0] * dx + inverse[1, 1] * dy


def plane(cat: Shape, middle: tuple[float, float, float], out: float = 0.0, up: float = 0.0) -> Plane:
    """The plane at a point of head space that is turned outwards and upwards by so much."""
    across = np.array([np.cos(out), 0, -np.sin(out)], np.float32)
    high = np.array([0, np.cos(up), -np.sin(up)], np.float32)
    axes = cat.axes
    return Plane((axes @ np.array(middle, np.float32))[:2], np.stack([axes @ across, axes @ high], 1)[:2])


EYE = (0.335, 0.205)
"""Half the width and height of an eye."""


def eye_plane(cat: Shape, side: float) -> Plane:
    """Where an eye is; its x points to the viewer's right in both."""
    return plane(cat, (side * cat.eye_apart * cat.wide, cat.eye_high, 0.86), 0.34 * side, 0.1)


def bow(cat: Shape, u):
    """Half the height of an almond along it, as a share of the middle's; negative beyond its corners.

    The wider an eye is open, the rounder it is.
    """
    rest = 1 - np.square(u)
    return np.maximum(rest, 0) ** (1 - np.clip(cat.eye_open - 1, 0, 0.5)) + np.minimum(rest, 0)


def lids(cat: Shape, side: float, u, v):
    """A measure of how far points of an eye's plane are outside its almond; negative where it is open."""
    a, b = EYE[0] * cat.eye_size, EYE[1] * cat.eye_size * cat.eye_open
    u = u * side
    v = v - cat.eye_slant * u * (1 - 0.5 * np.minimum((u / a) ** 2, 1))
    return np.abs(v) - np.where(v > 0, 1.0, 0.86) * b * bow(cat, u / a)


def eye_curve(cat: Shape, side: float, count: int = 20) -> Points:
    """The almond of an eye in the view, closed."""
    a, b = EYE[0] * cat.eye_size, EYE[1] * cat.eye_size * cat.eye_open
    u = -np.cos(np.linspace(0, np.pi, count))
    rise, high = cat.eye_slant * a * u * (1 - 0.5 * u * u), b * bow(cat, u)
    points = np.concatenate(
        [np.stack([a * u, rise + high], 1), np.stack([a * u, rise - 0.86 * high], 1)[-2::-1]]
    )
    return eye_plane(cat, side).view(points * (side, 1))


def iris(cat: Shape, side: float):
    """The middle and radius of an iris in its eye's plane."""
    rise = 0.012 + 0.04 * (1 - cat.eye_open)
    return (cat.gaze[0] - 0.03 * side, cat.gaze[1] + rise), (0.162 + 0.07 * cat.eye_open) * cat.eye_size


def pupil_curve(cat: Shape, side: float, count: int = 18) -> Points:
    """The pupil in the view, closed."""
    (x, y), radius = iris(cat, side)
    angle = np.linspace(0, 2 * np.pi, count)
    tall = radius * (0.72 + 0.12 * cat.pupil)
    across = radius * cat.pupil * 0.78
    return eye_plane(cat, side).view(np.stack([x + across * np.cos(angle), y + tall * np.sin(angle)], 1))


def ear_points(cat: Shape, side: float, inner: bool = False):
    """An ear's edge in head space, from where it leaves the head by the middle to its tip and down."""
    h, w, apart = cat.ear_height, cat.ear_width, cat.ear_apart * cat.wide
    near, far = (0.34 * apart, 0.84 * cat.tall), (1.13 * apart, 0.34 * cat.tall)
    middle = (0.5 * (near[0] + far[0]), 0.5 * (near[1] + far[1]))
    near, far = (
        (middle[0] + (p[0] - middle[0]) * w, middle[1] + (p[1] - middle[1]) * w) for p in (near, far)
    )
    tip = (0.92 * apart + 0.55 * cat.ear_lean, 0.78 * cat.tall + 0.98 * h)
    bow = 0.10 + 0.05 * cat.ear_round
    rise = [
        near,
        (near[0] + 0.42 * (tip[0] - near[0]) - 0.5 * bow, near[1] + 0.5 * (tip[1] - near[1]) + 0.3 * bow),
        (tip[0] - 0.055 * cat.ear_round - 0.02, tip[1] - 0.035 - 0.03 * cat.ear_round),
        (tip[0] + 0.045 * cat.ear_round, tip[1] - 0.045 * cat.ear_round),
        (far[0] + 0.45 * (tip[0] - far[0]) + 0.9 * bow, far[1] + 0.5 * (tip[1] - far[1]) + 0.4 * bow),
        far,
    ]
    points = np.array([(side * x, y, -0.12) for x, y in rise], np.float32)
    if inner:
        base = np.array((side * middle[0], middle[1] + 0.05, -0.12), np.float32)
        points = base + (points - base) * np.array((0.62, 0.80, 1), np.float32)
        points[:, 0] += side * 0.02
    return points


def ear_curve(cat: Shape, side: float, inner: bool = False) -> Points:
    """An ear's edge in the view."""
    return bend((ear_points(cat, side, inner) @ cat.axes.T)[:, :2])


def nose_plane(cat: Shape) -> Plane:
    """Where the nose is."""
    return plane(cat, (0, -0.27 * cat.tall, 1.24), 0, 0.15)


NOSE = (0.15, 0.10)
"""Half the width and height of a nose."""


def nose_curve(cat: Shape) -> Points:
    """The nose's edge in the view, closed: a rounded triangle."""
    w, h = NOSE[0] * cat.nose, NOSE[1] * cat.nose
    points = [(-w, 0.55 * h), (-0.5 * w, 0.9 * h), (0, 0.8 * h), (0.5 * w, 0.9 * h), (w, 0.55 * h)]
    points += [(0.62 * w, -0.25 * h), (0, -h), (-0.62 * w, -0.25 * h), (-w, 0.55 * h)]
    return nose_plane(cat).view(bend(points, 5))


def mouth_plane(cat: Shape) -> Plane:
    """Where the mouth is."""
    return plane(cat, (0, -0.52 * cat.tall, 1.18), 0, 0.0)


def mouth_curves(cat: Shape) -> list[Points]:
    """The line below the nose, and the mouth's two halves, in the view."""
    m = cat.mouth * cat.muzzle
    top = -0.27 * cat.tall - NOSE[1] * cat.nose + 0.52 * cat.tall
    halves = [
        [(0, 0.03), (s * 0.10 * m, -0.055 * m), (s * 0.22 * m, -0.07 * m), (s * 0.35 * m, 0.02)]
        for s in SIDES
    ]
    place = mouth_plane(cat)
    return [place.view([(0, top), (0, 0.03)]), *(place.view(bend(half, 6)) for half in halves)]


def whisker_curves(cat: Shape, draw: np.random.Generator) -> list[Points]:
    """Whiskers in the view."""
    curves, t = [], np.linspace(0, 1, 14, dtype=np.float32)
    for side in SIDES:
        for k in range(cat.whiskers):
            share = k / max(1, cat.whiskers - 1)
            long = draw.uniform(1.25, 1.9)
            x = side * (0.36 * cat.muzzle + 0.05 * (k % 3) + t * long)
            y = (
                (-0.40 - 0.20 * share) * cat.tall
                + t * (0.36 - 0.66 * share + draw.normal(0, 0.07))
                - 0.32 * t * t
            )
            z = 1.12 - 0.25 * t
            curves.append((np.stack([x, y, z], 1).astype(np.float32) @ cat.axes.T)[:, :2])
    return curves


def head_curve(cat: Shape, count: int = 72) -> Points:
    """The head's silhouette without the ears, closed, found outwards from its middle."""
    angle = np.linspace(0, 2 * np.pi, count + 1, dtype=np.float32) + np.float32(np.pi / 2)
    far = np.linspace(0.4, 2.0, 120, dtype=np.float32)
    x, y = np.cos(angle)[:, None] * far, np.sin(angle)[:, None] * far
    inside = solids(head_parts(cat), cat.axes).outline(x, y, 0.12) < 0
    reach = far[np.minimum(inside.sum(1), len(far) - 1)]
    return np.stack([np.cos(angle) * reach, np.sin(angle) * reach], 1)


def body_curves(cat: Shape) -> list[Points]:
    """The left and right edge of neck and chest, from below the head down."""
    y = np.linspace(-0.75, -3.0, 24, dtype=np.float32)
    x = np.linspace(-3, 3, 400, dtype=np.float32)
    inside = body(cat).outline(*np.meshgrid(x, y), 0.3) < 0
    hidden = head(cat).outline(*np.meshgrid(x, y), 0.12) < 0
    curves = []
    for edge in (inside.argmax(1), inside.shape[1] - 1 - inside[:, ::-1].argmax(1)):
        seen = inside.any(1) & ~hidden[np.arange(len(y)), edge]
        curves.append(np.stack([x[edge], y], 1)[seen])
    return [curve for curve in curves if len(curve) > 2]


def head(cat: Shape) -> Solids:
    """The head's solids in the view."""
    return solids(head_parts(cat), cat.axes)


def body(cat: Shape) -> Solids:
    """The body's solids in the view; it does not turn with the head."""
    return solids(body_parts(cat), np.eye(3, dtype=np.float32))
