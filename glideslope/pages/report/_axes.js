// The axes of the report: updates, time, tokens, or the share of the run. An axis turns updates of a
// run into positions, and back.

const DAY = 86400;
const TIMES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200];

/** Linear between known points; before the first and beyond the last at the mean pace. */
function interpolated(xs, ys, x) {
  const last = xs.length - 1;
  const k = Math.min(Math.max(1, firstAtLeast(xs, x)), last);
  const whole = x > xs[last] ? [0, last] : [k - 1, k];
  const [a, b] = whole.map((index) => [xs[index], ys[index]]);
  return a[1] + ((x - a[0]) / (b[0] - a[0] || 1)) * (b[1] - a[1]);
}

/** An axis by a clock that a run recorded, such as seconds. */
function byClock(name) {
  return {
    has: (run) => run[name].x.length > 1,
    place: (run, step) => interpolated(run[name].x, run[name].y, step),
    step: (run, position) => interpolated(run[name].y, run[name].x, position),
  };
}

const AXES = {
  updates: {
    title: "updates",
    has: () => true,
    place: (run, step) => step,
    step: (run, position) => position,
    label: count,
    ticks: UPDATES.ticks,
    closest: 4,
    at: (position) => `update ${count(Math.round(position))}`,
  },
  seconds: {
    title: "time",
    ...byClock("seconds"),
    label: duration,
    ticks: timeTicks,
    closest: 1e-3,
    at: (position) => duration(position),
  },
  tokens: {
    title: "tokens",
    ...byClock("tokens"),
    label: big,
    ticks: (scale, about) => scale.ticks(about),
    closest: 4,
    at: (position) => `${big(position)} tokens`,
  },
  share: {
    title: "share of the run",
    has: () => true,
    place: (run, step) => step / run.length,
    step: (run, position) => position * run.length,
    label: percent,
    ticks: (scale, about) => scale.ticks(about),
    closest: 1e-4,
    at: (position) => `${percent(position)} of the run`,
  },
};

/** Round times, evenly; of parts of a second, round numbers. */
function timeTicks(scale, about) {
  const rough = (scale.last - scale.first) / Math.max(1, about);
  if (rough < 1) return scale.ticks(about);
  const step = TIMES.find((time) => time >= rough) ?? roundStep(rough / DAY) * DAY;
  const ticks = [];
  for (let n = Math.ceil(scale.first / step); n * step <= scale.last; n++) ticks.push(n * step);
  return ticks;
}

/** Seconds in the two largest of their units. */
function duration(seconds) {
  if (seconds < 60) return `${Number(seconds.toPrecision(3))} s`;
  const whole = Math.round(seconds);
  const parts = [
    [Math.floor(whole / DAY), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const from = parts.findIndex(([number]) => number);
  const told = parts.slice(from, from + 2).filter(([number]) => number);
  return told.map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** A large number in thousands, millions, …: 200M. */
function big(number) {
  const power = Math.max(0, Math.min(4, Math.floor(Math.log10(Math.abs(number) || 1) / 3)));
  return `${Number((number / 1000 ** power).toPrecision(4))}${["", "k", "M", "G", "T"][power]}`;
}

function percent(share) {
  return `${Number((100 * share).toFixed(2))}%`;
}
