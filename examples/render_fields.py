"""Distance fields for the still life: turned profiles, placed solids, and marching with soft light."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from render_rays import dot, unit

FARTHEST = 60.0


class Profile:
    """A solid of revolution about y from its outline (radius, height), tabulated as a signed distance."""

    def __init__(self, points, smoothing: int = 3, cell: float = 0.02):
        outline = chaikin(np.array(points, np.float64), smoothing)
        pad = 0.5
        self.outline, self.pad = outline, pad
        self.cell, self.low = cell, np.float32(outline[:, 1].min() - pad)

    @cached_property
    def table(self):
        """Distances on a grid over (height, radius), made when first asked for."""
        radii = np.arange(0, self.outline[:, 0].max() + self.pad, self.cell)
        heights = np.arange(self.low, self.outline[:, 1].max() + self.pad, self.cell)
        return signed_distance(self.outline, *np.meshgrid(radii, heights)).astype(np.float32)

    def __call__(self, p):
        """Distance at points `[3, N]`; outside the table, a bound."""
        v, u = (p[1] - self.low) / self.cell, np.sqrt(p[0] ** 2 + p[2] ** 2) / self.cell
        rows, columns = self.table.shape
        cv, cu = np.clip(v, 0, rows - 1.01), np.clip(u, 0, columns - 1.01)
        i, j = cv.astype(np.int32), cu.astype(np.int32)
        a, b = (cv - i).astype(np.float32), (cu - j).astype(np.float32)
        flat, at = self.table.reshape(-1), i * columns + j
        low = flat[at] * (1 - b) + flat[at + 1] * b
        high = flat[at + columns] * (1 - b) + flat[at + columns + 1] * b
        return low * (1 - a) + high * a + np.hypot(v - cv, u - cu) * self.cell


def chaikin(points, rounds: int):
    """Smooth an open outline by cutting its corners; the ends stay."""
    for _ in range(rounds):
        a, b = points[:-1], points[1:]
        cut = np.stack([0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b], 1).reshape(-1, 2)
        points = np.concatenate([points[:1], cut, points[-1:]])
    return points


def signed_distance(outline, u, v):
    """Distance to an outline that the axis u = 0 closes; negative inside."""
    nearest, inside = np.full(u.shape, np.inf), np.zeros(u.shape, bool)
    for (au, av), (bu, bv) in pairwise(outline):
        du, dv = bu - au, bv - av
        t = np.clip(((u - au) * du + (v - av) * dv) / max(du * du + dv * dv, 1e-12), 0, 1)
        nearest = np.minimum(nearest, (u - au - t * du) ** 2 + (v - av - t * dv) ** 2)
        crosses = (av > v) != (bv > v)
        inside ^= crosses & (u < au + (v - av) * du / (dv if dv else 1e-12))
    return np.where(inside, -1, 1) * np.sqrt(nearest)


@dataclass(frozen=True)
class Solid:
    """A distance function with a place, a turn (rows are its own axes), a bounding ball, and a material."""

    distance: Callable
    place: np.ndarray
    turn: np.ndarray
    reach: float
    material: Callable

    def local(self, points):
        """Points in the solid's own coordinates."""
        return self.turn @ (points - self.place[:, None])

    def field(self, points):
        """Distance, exact only near the solid: elsewhere the distance to its bounding ball."""
        away = points - self.place[:, None]
        ball = np.sqrt(dot(away, away)) - np.float32(self.reach)
        near = np.flatnonzero(ball < 0.25)
        ball = np.maximum(ball, 0.05)
        if near.size:
            ball[near] = self.distance(self.turn @ away[:, near])
        return ball


def turned(yaw: float = 0.0, tilt: float = 0.0, roll: float = 0.0):
    """Rotation `[3, 3]` by degrees about y, then x, then z, as the rows of the turned axes."""
    a, b, c = np.deg2rad([yaw, tilt, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return (about_y @ about_x @ about_z).T.astype(np.float32)


def nearest(solids, points):
    """Distance to the nearest solid."""
    total = np.full(points.shape[1], FARTHEST, np.float32)
    for solid in solids:
        np.minimum(total, solid.field(points), out=total)
    return total


def which(solids, points):
    """Index of the nearest solid."""
    return np.argmin([solid.field(points) for solid in solids], axis=0)


def march(solids, origin, direction, steps: int = 200):
    """Sphere tracing: ray lengths `[N]`, FARTHEST where nothing is met."""
    t = np.zeros(origin.shape[1], np.float32)
    active = np.arange(t.size)
    for _ in range(steps):
        gap = nearest(solids, origin[:, active] + t[active] * direction[:, active])
        t[active] += gap
        active = active[(gap > 0.0015) & (t[active] < FARTHEST)]
        if not active.size:
            break
    return np.minimum(t, FARTHEST)


def slope(solids, points, step: float = 0.012):
    """Unit normals from differences on a tetrahedron (four evaluations)."""
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    return unit(sum(c[:, None] * nearest(solids, points + c[:, None] * np.float32(step)) for c in corners))


def soft_light(solids, points, toward, size: float, reach: float = 14.0, steps: int = 44):
    """Share of a lamp of angular `size` that points see, from the closest miss on the way (after Quilez)."""
    light, t = np.ones(points.shape[1], np.float32), np.full(points.shape[1], 0.04, np.float32)
    active = np.arange(t.size)
    for _ in range(steps):
        gap = nearest(solids, points[:, active] + t[active] * toward[:, None])
        light[active] = np.minimum(light[active], 0.5 + 0.5 * gap / (size * t[active]))
        t[active] += np.clip(gap, 0.03, 0.7)
        active = active[(light[active] > 0) & (t[active] < reach)]
        if not active.size:
            break
    light = np.clip(light, 0, 1)
    return light * light * (3 - 2 * light)


def openness(solids, points, normal):
    """Ambient light that reaches a point in [0, 1]: how free the space above it is, at five distances."""
    blocked = np.zeros(points.shape[1], np.float32)
    for i, length in enumerate((0.06, 0.18, 0.4, 0.8, 1.5)):
        gap = nearest(solids, points + normal * np.float32(length))
        blocked += np.clip(length - gap, 0, None) / length * 0.62**i
    return np.clip(1 - 0.52 * blocked, 0.04, 1)
