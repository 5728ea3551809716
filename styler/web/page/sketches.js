// Sketches to start from, each a little different: cats of a few strokes, and house fronts of labels.

// Random numbers of a seed (mulberry32), so that the first sketch is always the same.
function numbers(seed) {
  let state = seed + 0x6d2b79f5;
  return (low, high) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return low + (((t ^ (t >>> 14)) >>> 0) / 4294967296) * (high - low);
  };
}

function arc(x, y, width, height, from = 0, to = 2.05 * Math.PI) {
  const count = 36;
  return Array.from({ length: count + 1 }, (_, n) => {
    const angle = from + ((to - from) * n) / count;
    return [x + width * Math.cos(angle), y + height * Math.sin(angle)];
  });
}

// A cat, as lists of points.
export function sketch(index, side) {
  const random = numbers(index), unit = side / 100;
  const x = 50 + random(-3, 3), y = 56 + random(-2, 3), wide = random(29, 34), tall = random(25, 29);
  const apart = random(11, 14), eye = random(4.2, 6), up = random(3, 7), tip = random(24, 32), lean = random(0, 6);
  const ear = (s) => [[x + s * wide * 0.92, y - tall * 0.42], [x + s * (wide * 0.86 + lean), y - tall - tip * 0.55], [x + s * wide * 0.3, y - tall * 0.93]];
  const inner = (s) => [[x + s * wide * 0.78, y - tall * 0.72], [x + s * (wide * 0.78 + lean * 0.7), y - tall - tip * 0.25], [x + s * wide * 0.46, y - tall * 0.9]];
  const straight = (points) => points.slice(1).flatMap((to, n) => Array.from({ length: 9 }, (_, k) => [0, 1].map((c) => points[n][c] + ((to[c] - points[n][c]) * k) / 8)));
  const sides = [-1, 1];
  const strokes = [
    arc(x, y, wide, tall),
    ...sides.map((s) => straight(ear(s))),
    ...sides.map((s) => straight(inner(s))),
    ...sides.map((s) => arc(x + s * apart, y - up, eye, eye * random(0.8, 1.1))),
    ...sides.map((s) => arc(x + s * apart, y - up, eye * 0.25, eye * 0.65)),
    straight([[x - 3, y + 6], [x + 3, y + 6], [x, y + 9], [x - 3, y + 6]]),
    [[x, y + 9], [x, y + 12]],
    ...sides.map((s) => arc(x + s * 4, y + 12, 4, 3.2, 0, Math.PI)),
    ...sides.flatMap((s) => [-3, 0, 3].map((n) => [[x + s * 10, y + 9 + n * 0.5], [x + s * 24, y + 8 + n * 1.2], [x + s * 38, y + 8 + n * 2.2]])),
  ];
  return strokes.map((points) => points.map(([a, b]) => [a * unit, b * unit]));
}

// A house front as rectangles [label, left, top, right, bottom], of the labels in `names`, which are few or many.
export function front(index, names, side) {
  const random = numbers(index), unit = side / 100, pick = (low, high) => Math.floor(random(low, high + 1));
  const parts = [], known = (words) => words.split(", ").find((word) => names.includes(word));
  const put = (words, left, top, right, bottom) => {
    const name = known(words);
    if (name) parts.push([name, ...[left, top, right, bottom].map((length) => length * unit)]);
  };
  const any = (...words) => {
    const own = words.filter((word) => names.includes(word));
    return own[pick(0, own.length - 1)] ?? "";
  };
  const wall = any("wall", "ochre wall", "brick", "stone", "facade"), roof = any("roof", "tiles", "slate");
  const floors = pick(2, 4), columns = pick(3, 5), left = random(5, 14), right = 100 - random(5, 14);
  const eaves = random(17, 25), foot = random(92, 95), shop = eaves + (foot - eaves) * (floors / (floors + 1.25));
  const cell = (right - left) / columns, storey = (shop - eaves) / floors, entrance = pick(0, columns - 1);
  put("sky, background", 0, 0, 100, foot);
  put("street, ground", 0, foot, 100, 100);
  const slope = random(0, 9), steps = 12, top = eaves - random(7, 13);
  for (let n = 0; n < steps; n += 1) {
    const [low, high] = [n + 1, n].map((k) => eaves + ((top - eaves) * k) / steps), inset = (slope * n) / steps;
    put(roof, left + inset, low, right - inset, high);
  }
  put(wall, left, eaves, right, foot);
  put("cornice", left - 1.5, eaves - 1, right + 1.5, eaves + 1.5);
  put("cornice, trim, molding", left, shop - 1.2, right, shop + 1);
  const wide = cell * random(0.42, 0.54), tall = storey * random(0.5, 0.62);
  const [shutters, blinds, balconies, trims, flowers, awnings] = [0.4, 0.3, 0.35, 0.4, 0.3, 0.5].map((share) => random(0, 1) < share);
  for (let floor = 0; floor < floors; floor += 1) {
    for (let column = 0; column < columns; column += 1) {
      const x = left + cell * (column + 0.5), y = eaves + storey * floor + (storey - tall) * 0.55, half = wide / 2;
      if (trims) put("trim, molding, deco", x - half - 0.8, y - 1.6, x + half + 0.8, y);
      if (shutters) for (const s of [-1, 1]) put("shutter", x + s * half - (s < 0 ? wide * 0.32 : 0), y, x + s * half + (s > 0 ? wide * 0.32 : 0), y + tall);
      put("window", x - half, y, x + half, y + tall);
      if (blinds && random(0, 1) < 0.5) put("blind", x - half, y, x + half, y + tall * random(0.2, 0.6));
      if (balconies && column % 2 === floor % 2) put("balcony", x - half - 1.5, y + tall * 0.62, x + half + 1.5, y + tall + 1);
      else put("sill", x - half - 1, y + tall, x + half + 1, y + tall + 1.3);
      if (flowers) put("plants", x - half, y + tall - 2, x + half, y + tall);
    }
  }
  for (let column = 0; column < columns; column += 1) {
    const x = left + cell * (column + 0.5), high = foot - shop;
    if (column === entrance) put("door", x - cell * 0.26, shop + high * 0.22, x + cell * 0.26, foot);
    else {
      put("shop, window", x - cell * 0.4, shop + high * 0.25, x + cell * 0.4, foot - high * 0.06);
      if (awnings && known("shop")) put("awning", x - cell * 0.44, shop + high * 0.3, x + cell * 0.44, shop + high * 0.45);
    }
  }
  if (random(0, 1) < 0.4) for (const x of [left, right - 2.5]) put("pillar", x, eaves + 1.5, x + 2.5, foot);
  return parts;
}
