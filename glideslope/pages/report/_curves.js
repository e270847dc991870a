// Curves between the data and the picture: placed on an axis, smoothed, and pooled over seeds.

const ROUNDING = 1e-9; // a smaller deviation, as a share of the mean, is of rounding alone
const GRID = 500; // points of a mean over runs that were recorded at different updates

/** A curve with positions on an axis for x, and its updates beside. */
function placed(run, curve, axis) {
  const x = curve.x.map((step) => axis.place(run, step));
  return { ...curve, x, step: curve.x, run };
}

/** The mean around each point over a share of all points, as far to the right as to the left, so
    that it does not lag; at the beginning both reach less far. */
function smoothed(curve, share) {
  const { x, y, n } = curve.mean ?? curve;
  const reach = Math.round((share / 2) * x.length);
  if (!reach) return { x: curve.x, y: curve.y };
  const [weights, sums] = [[0], [0]];
  x.forEach((_, k) => {
    const weight = n ? n[k] : 1;
    weights.push(weights[k] + weight);
    sums.push(sums[k] + weight * y[k]);
  });
  const mean = (_, k) => {
    const side = Math.min(k, reach);
    const [from, to] = [k - side, Math.min(x.length, k + side + 1)];
    return (sums[to] - sums[from]) / (weights[to] - weights[from]);
  };
  return { x, y: y.map(mean) };
}

/** The value of a curve at a position; null outside of it. */
function valueOn({ x, y }, position) {
  if (!x.length || position < x[0] || position > x.at(-1)) return null;
  const k = firstAtLeast(x, position);
  return x[k] === position ? y[k] : interpolated(x, y, position);
}

/** The mean of several curves, and the band of one standard deviation around it. */
function pooled(curves) {
  const [first] = curves;
  const same = curves.every(({ x }) => x.length === first.x.length && x.every(equals(first.x)));
  const x = same ? first.x : evenly(curves);
  const at = same
    ? (position, k) => curves.map(({ y }) => y[k])
    : (position) => curves.map((curve) => valueOn(curve, position)).filter((y) => y !== null);
  const pools = x.map((position, k) => moments(at(position, k)));
  return {
    x,
    y: pools.map(({ mean }) => mean),
    deviates: pools.some(({ deviation }) => deviation > 0),
    low: pools.map(({ mean, deviation }) => mean - deviation),
    high: pools.map(({ mean, deviation }) => mean + deviation),
  };
}

function equals(others) {
  return (value, k) => value === others[k];
}

/** Positions from the first to the last of all curves. */
function evenly(curves) {
  const filled = curves.filter(({ x }) => x.length);
  const first = Math.min(...filled.map(({ x }) => x[0]));
  const last = Math.max(...filled.map(({ x }) => x.at(-1)));
  const points = Array.from({ length: GRID + 1 }, (_, k) => first + ((last - first) * k) / GRID);
  points[GRID] = last;
  return points;
}

/** The mean and the standard deviation, of a sample. */
function moments(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const deviation = values.length > 1 ? Math.sqrt(squares / (values.length - 1)) : 0;
  return { mean, deviation: deviation > ROUNDING * Math.abs(mean) ? deviation : 0 };
}

/** The outline of a band: along its upper edge, and back along the lower one. */
function bandPath(band, range, x, y) {
  const upper = pathOf({ x: band.x, y: band.high }, range, x, y);
  const lower = pathOf({ x: band.x, y: band.low }, range, x, y);
  if (!upper || !lower) return "";
  const back = lower.slice(1).split("L").reverse().join("L");
  return `${upper}L${back}Z`;
}
