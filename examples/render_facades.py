"""The gabled houses of the harbour picture: their outlines, windows and walls."""

from dataclasses import dataclass

import numpy as np
from noise import banded, fractal, gradient2, scramble, uniform
from render_light import color, mix, smoothstep
from render_rays import Patch, dot

STOREY, GROUND, REVEAL = 2.9, 3.5, 0.24  # heights of floors and depth of windows, metres


@dataclass(frozen=True)
class House:
    """One house front; metres from its lower left corner."""

    width: float
    eaves: float
    rise: float
    gable: str
    columns: int
    wall: tuple[int, int, int]
    trim: tuple[int, int, int]
    brick: bool
    seed: int


def outline(house: House, u):
    """Height of the front at u, by the style of its gable."""
    t = np.abs(u / house.width * 2 - 1)
    if house.gable == "step":
        top = np.floor((1.12 - t) * 5.5) / 5.5
    elif house.gable == "bell":
        top = 0.62 * smoothstep(0.86, 0.42, t) + 0.38 * np.sqrt(np.maximum(1 - (t / 0.40) ** 2, 0))
    elif house.gable == "flat":
        top = 0.10 * (t < 0.97)
    else:
        top = 1 - t
    return np.where(t <= 1, house.eaves + house.rise * top, -1)


def openings(house: House, u, v):
    """The nearest window or door: offsets from its middle, half sizes (metres), its number, is it a door."""
    cell = house.width / house.columns
    column = np.clip(np.floor(u / cell), 0, house.columns - 1)
    storeys = int((house.eaves - GROUND) / STOREY + 0.15)
    floor = np.clip(np.floor((v - GROUND) / STOREY), -1, storeys)
    cu, cv = u - (column + 0.5) * cell, v - GROUND - (floor + 0.5) * STOREY
    half_u, half_v = np.full_like(u, min(0.58, 0.30 * cell)), np.full_like(u, 0.92)
    attic, ground = floor == storeys, floor < 0
    cu = np.where(attic, u - house.width / 2, cu)
    room = outline(house, np.full(1, house.width / 2))[0] - GROUND - storeys * STOREY > 2.4
    half_u = np.where(attic, 0.45 if room else -1, half_u)
    cv, half_v = np.where(attic, cv + 0.35, cv), np.where(attic, 0.65, half_v)
    number = uniform(scramble(column + attic * 7, floor + 9, seed=house.seed))
    door = ground & (column == house.seed % house.columns)
    half_u = np.where(ground, np.where(door, 0.55, 0.36 * cell), half_u)
    half_v = np.where(ground, np.where(door, 1.25, 0.95), half_v)
    cv = np.where(ground, v - np.where(door, 1.25, 1.75), cv)
    return cu, cv, half_u, half_v, number, door


def wall_color(house: House, u, v):
    """Plaster or brick, stained by weather."""
    seed = house.seed
    broad = banded(lambda a, b: fractal(gradient2, a, b, octaves=5, seed=seed), u / 2.2, v / 2.6)
    streak = banded(lambda a, b: fractal(gradient2, a, b, octaves=4, seed=seed + 5), u * 2.6, v / 3.5)
    base = (
        np.broadcast_to(color(*house.wall), (*u.shape, 3)) * (0.92 + 0.34 * broad + 0.24 * streak)[..., None]
    )
    if house.brick:
        row = np.floor(v / 0.115)
        across = u / 0.33 + 0.5 * (row % 2)
        tint = uniform(scramble(np.floor(across), row, seed=seed))
        joint = np.minimum(smoothstep(0, 0.10, across % 1), smoothstep(0, 0.2, (v / 0.115) % 1))
        base = mix(color(170, 150, 130) * 0.8, base * (0.65 + 0.7 * tint)[..., None], 0.35 + 0.65 * joint)
    patch = smoothstep(0.18, 0.42, broad + 0.4 * streak) * 0.6
    base = mix(base, base * 0.55 + color(150, 130, 110) * 0.25, patch)
    return base * (0.55 + 0.45 * smoothstep(0.0, 1.6, v + 0.8 * streak))[..., None]


def ornament(house: House, base, u, v):
    """String courses, cornice, plinth and gable edging, lit on top and dark beneath."""
    trim = color(*house.trim)
    top = outline(house, u)
    coping = smoothstep(0.34, 0.28, top - v)
    base = mix(base, trim * (0.55 + 0.55 * smoothstep(0.34, 0.1, top - v))[..., None], coping)
    for height, deep in ((GROUND - 0.25, 0.22), (house.eaves - 0.1, 0.34)):
        band = smoothstep(0.02, 0, np.abs(v - height) - deep / 2)
        base = mix(base, trim * (0.7 + 0.5 * (v - height) / deep)[..., None], band)
        shade = smoothstep(0.45, 0.0, height - deep / 2 - v) * (v < height - deep / 2)
        base = base * (1 - 0.45 * shade)[..., None]
    return mix(base, color(92, 86, 80), smoothstep(0.46, 0.42, v))


def window_pane(cu, cv, half_u, half_v, number, door):
    """Frames over dark or lamp-lit glass: albedo, emitted light and gloss at points in the opening."""
    edge = np.minimum(half_u - np.abs(cu), half_v - np.abs(cv))
    bars = np.minimum(np.abs(cu), np.abs(np.abs(cv - 0.25 * half_v) - 0.33 * half_v) * 0.9)
    frame = smoothstep(0.025, 0.015, np.minimum(edge - 0.06, bars))
    leaf = mix(color(38, 70, 62), color(112, 44, 34), (number > 0.5).astype(np.float32))
    panel = 0.7 + 0.3 * smoothstep(0.02, 0.05, np.abs(np.abs(cv) - 0.55))
    solid = mix(
        mix(np.broadcast_to(color(22, 24, 30), (*cu.shape, 3)), color(222, 214, 198), frame),
        leaf * panel[..., None],
        door.astype(np.float32),
    )
    burning = ((number * 7.3) % 1 < 0.30) & ~door
    drawn = 0.25 + 0.5 * ((number * 31.7) % 1)
    curtain = 0.30 + 0.55 * smoothstep(drawn + 0.1, drawn - 0.1, np.abs(cu) / half_u) - 0.30 * (cv / half_v)
    lamp = color(255, 150, 60) * 1.2 * (burning * curtain * (1 - frame))[..., None]
    return solid, lamp, (1 - frame) * ~door


def around_openings(house: House, base, cu, cv, half_u, half_v):
    """Add stone surrounds and sills to a wall: its colour, and the sunlight left below the sills."""
    outside = np.maximum(np.abs(cu) - half_u, np.abs(cv) - half_v)
    base = mix(base, color(*house.trim) * 0.95, smoothstep(0.16, 0.13, outside))
    sill = smoothstep(0.02, 0, np.maximum(np.abs(cv + half_v + 0.12) - 0.10, np.abs(cu) - half_u - 0.22))
    base = mix(base, color(214, 204, 188), sill * (half_u > 0))
    below = (cv < -half_v - 0.2) * (np.abs(cu) < half_u + 0.22)
    return base, 1 - 0.6 * smoothstep(0.55, 0.0, -(cv + half_v + 0.22)) * below


def front_surface(patch: Patch, house: House, points, direction, sun):
    """Albedo `[N, 3]`, sunlight `[N]` that the reveals leave, emitted light `[N, 3]`, gloss `[N]`."""
    u, v = patch.place(points)
    normal = patch.normal(points, direction)[:, 0]
    cu, cv, half_u, half_v, number, door = openings(house, u, v)
    base = ornament(house, wall_color(house, u, v), u, v)
    base, sunlit = around_openings(house, base, cu, cv, half_u, half_v)
    deep = REVEAL / np.maximum(np.abs(dot(direction, normal)), 0.12)  # where the ray meets the pane's plane
    gu, gv = cu + deep * dot(direction, patch.along), cv + deep * dot(direction, patch.up)
    pane = np.maximum(np.abs(gu) - half_u, np.abs(gv) - half_v) < 0
    solid, lamp, gloss = window_pane(gu, gv, half_u, half_v, number, door)
    slope = REVEAL / max(float(normal @ sun), 0.15)  # from there towards the sun, back through the opening
    su, sv = gu + slope * float(patch.along @ sun), gv + slope * float(patch.up @ sun)
    shaded = smoothstep(-0.03, 0.03, np.maximum(np.abs(su) - half_u, np.abs(sv) - half_v))
    opening = (np.maximum(np.abs(cu) - half_u, np.abs(cv) - half_v) < 0).astype(np.float32)
    return (
        mix(base, np.where(pane[:, None], solid, base * 0.55), opening),
        np.where(opening > 0, np.where(pane, 1 - shaded, 0.25), sunlit),
        lamp * (opening * pane)[:, None],
        gloss * opening * pane,
    )
