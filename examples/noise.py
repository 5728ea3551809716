"""Seeded lattice noise for the example pictures: gradient noise, fractal sums, ridges and cells."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BAND = 1 << 16  # points worked on at once, so that every temporary stays in the cache


def banded(function, *coordinates):
    """Apply a point-wise function to equal-shaped arrays, one cache-sized band at a time.

    The function returns one array or a tuple of arrays as long as its arguments.
    """
    flat = [np.ascontiguousarray(c, np.float32).reshape(-1) for c in coordinates]
    parts = [function(*(c[i : i + BAND] for c in flat)) for i in range(0, max(flat[0].size, 1), BAND)]
    shape = coordinates[0].shape
    if isinstance(parts[0], tuple):
        return tuple(np.concatenate(p).reshape(shape) for p in zip(*parts, strict=True))
    return np.concatenate(parts).reshape(shape)


def scramble(*lattice, seed: int = 0):
    """Hash integer lattice coordinates to uint32 (xor and multiply rounds, after Wang's integer hash)."""
    state = np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    for axis, factor in zip(lattice, (0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F), strict=False):
        state = (state ^ (axis.astype(np.int32).view(np.uint32) * np.uint32(factor))) * np.uint32(0x2C1B3C6D)
        state ^= state >> np.uint32(15)
    state = state * np.uint32(0x297A2D39)
    return state ^ (state >> np.uint32(15))


def uniform(hashed):
    """Map uint32 hashes to floats in [0, 1)."""
    return (hashed >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def fade(t):
    """Perlin's quintic ease, 6t^5 - 15t^4 + 10t^3."""
    return t * t * t * (t * (t * 6 - 15) + 10)


def gradient2(x, y, seed: int = 0) -> Array:
    """Perlin gradient noise in the plane, about [-1, 1], zero on the lattice."""
    ix, iy = np.floor(x), np.floor(y)
    fx, fy = x - ix, y - iy
    corners = []
    for dy in (0, 1):
        for dx in (0, 1):
            angle = uniform(scramble(ix + dx, iy + dy, seed=seed)) * np.float32(2 * np.pi)
            corners.append(np.cos(angle) * (fx - dx) + np.sin(angle) * (fy - dy))
    u, v = fade(fx), fade(fy)
    low = corners[0] + u * (corners[1] - corners[0])
    high = corners[2] + u * (corners[3] - corners[2])
    return (low + v * (high - low)) * np.float32(1.5)


def value3(x, y, z, seed: int = 0) -> Array:
    """Value noise in space, in [-1, 1]."""
    ix, iy, iz = np.floor(x), np.floor(y), np.floor(z)
    u, v, w = fade(x - ix), fade(y - iy), fade(z - iz)
    total = np.zeros_like(x)
    for dz in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                weight = (u if dx else 1 - u) * (v if dy else 1 - v) * (w if dz else 1 - w)
                total += weight * uniform(scramble(ix + dx, iy + dy, iz + dz, seed=seed))
    return total * 2 - 1


def fractal(noise, *coordinates, octaves: int, gain: float = 0.5, seed: int = 0) -> Array:
    """Sum octaves of a noise, each at twice the frequency and `gain` times the height; about [-1, 1]."""
    total, height, scale = np.zeros_like(coordinates[0]), 1.0, 1.0
    for octave in range(octaves):
        moved = (c * np.float32(scale) + np.float32(17.3 * octave) for c in coordinates)
        total += np.float32(height) * noise(*moved, seed=seed + octave)
        height, scale = height * gain, scale * 2.03
    return total


def ridged(x, y, octaves: int, gain: float = 0.5, seed: int = 0) -> Array:
    """Musgrave's ridged multifractal: sharp crests, smooth valleys; about [0, 1]."""
    total, weight, height, scale = np.zeros_like(x), np.ones_like(x), 0.5, 1.0
    for octave in range(octaves):
        shift = np.float32(31.7 * octave)
        crest = 1 - np.abs(
            gradient2(x * np.float32(scale) + shift, y * np.float32(scale) - shift, seed + octave)
        )
        crest = crest * crest * weight
        weight = np.clip(crest * 2, 0, 1)
        total += np.float32(height) * crest
        height, scale = height * gain, scale * 2.07
    return total


def cells(x, y, seed: int = 0) -> tuple[Array, Array]:
    """Worley noise: distance to the nearest jittered cell point, and that cell's own number in [0, 1)."""
    ix, iy = np.floor(x), np.floor(y)
    nearest, number = np.full_like(x, 9), np.zeros_like(x)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            hashed = scramble(ix + dx, iy + dy, seed=seed)
            px = ix + dx + uniform(hashed)
            py = iy + dy + uniform(hashed * np.uint32(0x9E3779B1))
            distance = (px - x) ** 2 + (py - y) ** 2
            closer = distance < nearest
            nearest = np.where(closer, distance, nearest)
            number = np.where(closer, uniform(hashed * np.uint32(0x85EBCA6B)), number)
    return np.sqrt(nearest), number
