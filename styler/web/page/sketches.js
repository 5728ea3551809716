// Sketches to start from: cats of a few strokes, each a little different, as lists of points.

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
