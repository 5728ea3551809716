"""The shapes of the harbour picture and where rays meet them; points and directions are `[3, N]`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MISS = np.float32(1e9)
NEAREST = 1e-3  # a ray that starts on a surface must not meet it again at once


def dot(a, b):
    """Dot product of `[3]` or `[3, N]` vectors along the first axis."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(v):
    """Normalise `[3, N]`."""
    return v / np.maximum(np.sqrt(dot(v, v)), 1e-9)


def slab(low, high, origin, direction):
    """Ray lengths where the box between two corners is entered and left; enter > leave for a miss."""
    inverse = 1 / np.where(np.abs(direction) < 1e-7, np.float32(1e-7), direction)
    a, b = (low[:, None] - origin) * inverse, (high[:, None] - origin) * inverse
    return np.minimum(a, b).max(0), np.maximum(a, b).min(0)


def first(t, valid):
    """Ray lengths where a hit is valid and ahead, MISS elsewhere."""
    return np.where(valid & (t > NEAREST), t, MISS)


def everywhere(u, v):
    """The outline of a patch that is a full rectangle."""
    return True


@dataclass(frozen=True)
class Patch:
    """A rectangle, or where `inside(u, v)` holds on it; u, v are metres along unit axes from a corner."""

    corner: np.ndarray
    along: np.ndarray
    up: np.ndarray
    size: tuple[float, float]
    material: Callable
    inside: Callable = everywhere

    def bounds(self):
        """Lowest and highest corner of a box around the patch."""
        a, b = self.along * self.size[0], self.up * self.size[1]
        corners = np.stack([self.corner, self.corner + a, self.corner + b, self.corner + a + b])
        return corners.min(0), corners.max(0)

    def hit(self, origin, direction):
        """Ray length to the patch."""
        normal = np.cross(self.along, self.up)
        t = (dot(self.corner, normal) - dot(origin, normal)) / np.where(
            np.abs(slant := dot(direction, normal)) < 1e-7, 1e-7, slant
        )
        u, v = self.place(origin + t * direction)
        within = (u > 0) & (u < self.size[0]) & (v > 0) & (v < self.size[1])
        return first(t, within & self.inside(u, v))

    def place(self, points):
        """Coordinates (u, v) of points on the plane."""
        return dot(points, self.along) - dot(self.corner, self.along), dot(points, self.up) - dot(
            self.corner, self.up
        )

    def normal(self, points, direction):
        """The side that faces the ray."""
        normal = np.cross(self.along, self.up).astype(np.float32)[:, None]
        return np.where(dot(direction, normal) > 0, -normal, normal)


@dataclass(frozen=True)
class Box:
    """An upright box between two corners."""

    low: np.ndarray
    high: np.ndarray
    material: Callable

    def bounds(self):
        """The box itself."""
        return self.low, self.high

    def hit(self, origin, direction):
        """Ray length to the box (slab test)."""
        enter, leave = slab(self.low, self.high, origin, direction)
        return first(enter, enter < leave)

    def normal(self, points, direction):
        """The axis of the face nearest to each point."""
        middle, half = (self.low + self.high)[:, None] / 2, (self.high - self.low)[:, None] / 2
        local = (points - middle) / half
        axis = np.abs(local).argmax(0)
        return np.eye(3, dtype=np.float32)[axis].T * np.sign(local)


@dataclass(frozen=True)
class Capsule:
    """A rod with round ends."""

    start: np.ndarray
    end: np.ndarray
    radius: float
    material: Callable

    def bounds(self):
        """Lowest and highest corner of a box around the rod."""
        return np.minimum(self.start, self.end) - self.radius, np.maximum(self.start, self.end) + self.radius

    def hit(self, origin, direction):
        """Ray length to the rod (after Quilez's capsule intersection)."""
        rod, away = self.end - self.start, origin - self.start[:, None]
        length2, slant, offset = dot(rod, rod), dot(rod, direction), dot(rod, away)
        a = np.maximum(length2 - slant * slant, 1e-6)
        b = length2 * dot(direction, away) - offset * slant
        c = length2 * dot(away, away) - offset * offset - self.radius**2 * length2
        h = b * b - a * c
        t = (-b - np.sqrt(np.maximum(h, 0))) / a
        y = offset + t * slant
        side = first(t, (h > 0) & (y > 0) & (y < length2))
        cap = np.where(y <= 0, self.ball(away, direction), self.ball(origin - self.end[:, None], direction))
        return np.minimum(side, np.where(h > 0, cap, MISS))

    def ball(self, away, direction):
        """Ray length to the ball at one end."""
        b, c = dot(away, direction), dot(away, away) - self.radius**2
        h = b * b - c
        return first(-b - np.sqrt(np.maximum(h, 0)), h > 0)

    def normal(self, points, direction):
        """Away from the nearest point of the rod's axis."""
        rod, away = (self.end - self.start)[:, None], points - self.start[:, None]
        return unit(away - np.clip(dot(away, rod) / dot(rod, rod), 0, 1) * rod)


@dataclass(frozen=True)
class Ellipsoid:
    """A ball stretched along the axes, cut off below `floor` (metres above its middle)."""

    middle: np.ndarray
    radii: np.ndarray
    material: Callable
    floor: float = -1e9

    def bounds(self):
        """Lowest and highest corner of a box around the whole ball."""
        return self.middle - self.radii, self.middle + self.radii

    def hit(self, origin, direction):
        """Ray length to the near or, where that is cut away, the far side."""
        away, d = (origin - self.middle[:, None]) / self.radii[:, None], direction / self.radii[:, None]
        a, b, c = dot(d, d), dot(away, d), dot(away, away) - 1
        h = b * b - a * c
        root = np.sqrt(np.maximum(h, 0))
        low = self.middle[1] + self.floor
        near, far = ((-b + sign * root) / a for sign in (-1, 1))
        return np.minimum(*(first(t, (h > 0) & (origin[1] + t * direction[1] > low)) for t in (near, far)))

    def normal(self, points, direction):
        """The gradient, turned towards the ray."""
        n = unit((points - self.middle[:, None]) / self.radii[:, None] ** 2)
        return np.where(dot(n, direction) > 0, -n, n)


@dataclass(frozen=True)
class Hull:
    """An open boat: a tapering, flaring shell with a raised bow; heading is radians from +z towards +x."""

    middle: np.ndarray
    heading: float
    length: float
    beam: float
    freeboard: float
    material: Callable

    def local(self, points):
        """Metres across, up and forward from the boat's middle at the waterline."""
        x, y, z = points - self.middle[:, None]
        c, s = np.float32(np.cos(self.heading)), np.float32(np.sin(self.heading))
        return c * x - s * z, y, s * x + c * z

    def sheer(self, forward):
        """Height of the gunwale above the water."""
        s = np.clip(forward / self.length * 2, -1, 1)
        return self.freeboard * (1 + 0.16 * s * s + 0.34 * np.maximum(s, 0) ** 3)

    def distance(self, points):
        """A bound on the distance to the shell, in metres."""
        x, y, z = self.local(points)
        s, top = np.clip(z / self.length * 2, -1, 1), self.sheer(z)
        plan = np.where(s > 0, 1 - np.abs(s) ** 2.4, 1 - 0.35 * s * s)
        rise = np.clip((y + 0.5) / (top + 0.5), 0.02, 1)
        half = self.beam / 2 * plan * rise ** (0.35 + 0.25 * np.maximum(s, 0))
        outside = np.maximum(np.abs(x) - half, np.abs(z) - self.length / 2)
        well = np.maximum(np.abs(x) - half + 0.13, 0.62 * top - y)
        return np.maximum(np.maximum(outside, y - top), -well) * 0.62

    def bounds(self):
        """Lowest and highest corner of a box around the boat, whichever way it heads."""
        reach = np.array([0.52 * self.length, 0.3, 0.52 * self.length], np.float32)
        return self.middle - reach, self.middle + reach + np.array([0, 1.5 * self.freeboard, 0], np.float32)

    def hit(self, origin, direction):
        """Ray length by sphere tracing from the bounding box on."""
        t = np.maximum(slab(*self.bounds(), origin, direction)[0], 0.02)
        stop = t + 1.2 * self.length
        for _ in range(60):
            gap = self.distance(origin + t * direction)
            t = np.minimum(t + gap, stop)
        return first(t, (np.abs(gap) < 0.02) & (t < stop))

    def normal(self, points, direction):
        """Central differences of the bound."""
        steps = np.eye(3, dtype=np.float32)[:, :, None] * 0.01
        return unit(np.stack([self.distance(points + s) - self.distance(points - s) for s in steps]))


@dataclass(frozen=True)
class Group:
    """Shapes that are only tried by rays that meet the box around them."""

    shapes: tuple
    low: np.ndarray
    high: np.ndarray

    def candidates(self, origin, direction, nearest):
        """Indices of the rays that enter the box ahead and before they hit anything nearer."""
        enter, leave = slab(self.low, self.high, origin, direction)
        return np.flatnonzero((enter <= leave) & (leave > 0) & (enter < nearest))


def group(shapes) -> Group:
    """Gather shapes under one box."""
    shapes = tuple(shapes)
    lows, highs = zip(*(shape.bounds() for shape in shapes), strict=True)
    return Group(shapes, np.min(lows, 0) - np.float32(0.01), np.max(highs, 0) + np.float32(0.01))


def trace(groups, origin, direction):
    """The nearest hit: ray lengths `[N]` (MISS for none) and shape numbers, counted through all groups."""
    nearest, index, start = np.full(origin.shape[1], MISS, np.float32), np.full(origin.shape[1], -1), 0
    for member in groups:
        rays = member.candidates(origin, direction, nearest)
        if rays.size:
            o, d, best, which = origin[:, rays], direction[:, rays], nearest[rays], index[rays]
            for i, shape in enumerate(member.shapes):
                t = shape.hit(o, d)
                closer = t < best
                best, which = np.where(closer, t, best), np.where(closer, start + i, which)
            nearest[rays], index[rays] = best, which
        start += len(member.shapes)
    return nearest, index


def lit(groups, points, toward):
    """Whether each point sees the light in a direction `[3]`: 1 or 0."""
    dark = np.zeros(points.shape[1], bool)
    direction = np.broadcast_to(toward[:, None], points.shape)
    for member in groups:
        rays = member.candidates(points, direction, np.where(dark, 0, MISS))
        for shape in member.shapes:
            rays = rays[~dark[rays]]
            if rays.size:
                dark[rays] = shape.hit(points[:, rays], direction[:, rays]) < MISS
    return 1 - dark.astype(np.float32)
