// Drawings of labels: a palette to choose from, and pixels that each have the color of one label.

const packed = (color) => {
  const value = Number.parseInt(color.slice(1), 16);
  return (0xff000000 | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
};

// Rows of whole pixels: what a canvas strokes and fills has soft edges, which are colors between labels.
function rows(pixels, side, left, top, right, bottom, value) {
  const from = Math.max(0, left), to = Math.min(side, right);
  for (let y = Math.max(0, top); y < Math.min(side, bottom) && from < to; y += 1) pixels.fill(value, y * side + from, y * side + to);
}

function disc(pixels, side, x, y, width, value) {
  const left = Math.round(x - width / 2), top = Math.round(y - width / 2);
  for (let row = 0; row < width; row += 1) {
    const half = Math.sqrt(width ** 2 / 4 - (row + 0.5 - width / 2) ** 2);
    const from = left + Math.round(width / 2 - half);
    rows(pixels, side, from, top + row, Math.max(from + 1, left + Math.round(width / 2 + half)), top + row + 1, value);
  }
}

function brush(pixels, side, points, width, value) {
  disc(pixels, side, ...points[0], width, value);
  for (let n = 1; n < points.length; n += 1) {
    const [x, y] = points[n - 1], [toX, toY] = points[n];
    const count = Math.ceil(Math.hypot(toX - x, toY - y) / Math.max(1, width / 6));
    for (let k = 1; k <= count; k += 1) disc(pixels, side, x + ((toX - x) * k) / count, y + ((toY - y) * k) / count, width, value);
  }
}

// The pixels that a rectangle covers: [left, top, right, bottom], empty for one that is no more than a click.
export function corners(points) {
  const [xs, ys] = [0, 1].map((axis) => [points[0][axis], points.at(-1)[axis]].map(Math.round).sort((a, b) => a - b));
  return [xs[0], ys[0], xs[1], ys[1]];
}

// Marks {shape, label, width, points}, or {parts: marks}, on the first label; lengths in pixels.
export function painted(marks, labels, side) {
  const colors = new Map(labels.map(([name, color]) => [name, packed(color)]));
  const image = new ImageData(side, side), pixels = new Uint32Array(image.data.buffer);
  pixels.fill(packed(labels[0][1]));
  for (const { shape, label, width, points } of marks.flatMap((mark) => mark.parts ?? [mark])) {
    if (shape === "rectangle") rows(pixels, side, ...corners(points), colors.get(label));
    else brush(pixels, side, points, width, colors.get(label));
  }
  return image;
}

// The palette: a radio button for each label, its name beside its color.
export function offer(palette, labels) {
  const swatches = labels.map(([name, color], index) => {
    const label = Object.assign(document.createElement("label"), { className: "tool swatch" });
    const chosen = index === Math.min(1, labels.length - 1);  // the first one is there already
    const input = Object.assign(document.createElement("input"), { type: "radio", name: "label", value: name, checked: chosen });
    const patch = Object.assign(document.createElement("i"), { ariaHidden: "true" });
    patch.style.background = color;
    const words = document.createElement("span");
    words.append(patch, name);
    label.append(input, words);
    return label;
  });
  palette.replaceChildren(...swatches);
}
