// Places for labels: none upon another, none outside the picture.

const LINE = 13; // pixels from one label to the next below
const BESIDE = 20; // labels nearer than this to each other lie in one column
const SIGN = 15; // pixels that the sign of an event is high
const SIGN_WIDTH = 13;
const FAR = 3; // places that a sign is moved at most: farther off it would seem to be elsewhere

/** Heights for labels of one column, in the order given, between top and bottom; null for those
    there is no room for. */
function spread(wanted, top, bottom) {
  const room = Math.floor((bottom - top) / LINE) + 1;
  const order = wanted.map((_, k) => k).sort((a, b) => wanted[a] - wanted[b]);
  const kept = order.filter((_, k) => order.length <= room || fits(k, order.length, room));
  const heights = wanted.map(() => null);
  let free = top;
  for (const k of kept) {
    heights[k] = Math.max(wanted[k], free);
    free = heights[k] + LINE;
  }
  let limit = bottom;
  for (const k of kept.reverse()) {
    heights[k] = Math.min(heights[k], limit);
    limit = heights[k] - LINE;
  }
  return heights;
}

/** Whether the k-th of so many labels is one of those that are kept, evenly among all. */
function fits(k, length, room) {
  return Math.floor((k * room) / length) !== Math.floor(((k - 1) * room) / length);
}

/** Moves labels `{x, y}` so that none is upon another; gives those there is room for. */
function apart(labels, top, bottom) {
  const columns = [];
  for (const label of [...labels].sort((a, b) => a.x - b.x)) {
    const column = columns.at(-1);
    if (column && label.x - column.at(-1).x < BESIDE) column.push(label);
    else columns.push([label]);
  }
  for (const column of columns) {
    const heights = spread(
      column.map(({ y }) => y),
      top,
      bottom,
    );
    column.forEach((label, k) => {
      label.y = heights[k];
    });
  }
  return labels.filter(({ y }) => y !== null);
}

/** The free height for a sign that is nearest to the wanted one; null where none is near. */
function freeHeight(x, wanted, taken, top, bottom) {
  const beside = taken.filter((other) => Math.abs(other.x - x) < SIGN_WIDTH);
  const isFree = (y) => y >= top && y <= bottom && beside.every((o) => Math.abs(o.y - y) >= SIGN);
  const start = Math.min(bottom, Math.max(top, wanted));
  for (let k = 0; k <= FAR; k++)
    for (const y of [start - k * SIGN, start + k * SIGN]) if (isFree(y)) return y;
  return null;
}
