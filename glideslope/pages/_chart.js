// Curves on axes: scales, ticks, thinning to what the screen shows. No data of its own.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children. Text is set as text, never read as HTML. */
function make(name, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "circle", "text", "clipPath", "title"].includes(
    name,
  );
  const element = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** From data to pixels, straight or by logarithms. */
class Scale {
  constructor(first, last, from, to, logarithmic = false) {
    Object.assign(this, { first, last, from, to, logarithmic });
    this.ends = [first, last].map((value) => this.bend(value));
  }
  /** Zero has no logarithm: it lies below the picture. */
  bend(value) {
    return this.logarithmic ? Math.log10(Math.max(value, this.first / 1000)) : value;
  }
  at(value) {
    const [a, b] = this.ends;
    return this.from + ((this.bend(value) - a) / (b - a || 1)) * (this.to - this.from);
  }
  back(pixel) {
    const [a, b] = this.ends;
    const bent = a + ((pixel - this.from) / (this.to - this.from)) * (b - a);
    return this.logarithmic ? 10 ** bent : bent;
  }
  ticks(about) {
    return (this.logarithmic ? decadeTicks : evenTicks)(this.first, this.last, about);
  }
}

/** Round numbers, evenly, about so many. */
function evenTicks(first, last, about) {
  const step = roundStep((last - first) / Math.max(1, about));
  const ticks = [];
  const [from, to] = [Math.ceil(first / step - 1e-9), Math.floor(last / step + 1e-9)];
  for (let n = from; n <= to; n++) ticks.push(Number((n * step).toPrecision(12)));
  return ticks;
}

/** The next of 1, 2, 5, 10, 20, … */
function roundStep(rough) {
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  return power * [1, 2, 5, 10].find((digit) => digit * power >= rough * 0.999);
}

/** Powers of ten, with 2 and 5 of each while there is room; even ticks within one decade. */
function decadeTicks(first, last, about) {
  const decades = Math.log10(last / first);
  if (decades < 1) return evenTicks(first, last, about);
  const digits = decades * 3 <= about * 1.5 ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / about));
  const ticks = [];
  for (let power = Math.floor(Math.log10(first)); power <= Math.log10(last); power += every)
    for (const digit of digits) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= first * 0.999 && tick <= last * 1.001) ticks.push(tick);
    }
  return ticks;
}

/** A number as a person reads it, to so many digits; ordinary ones without an exponent. */
function text(value, digits = 5) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  const short = (number) => number.replace(/\.?0+e/, "e").replace("e+", "e");
  if (size >= 1e6 || size < 1e-4) return short(value.toExponential(digits - 1));
  return Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 12 });
}

/** A number of steps as a person reads it. */
function count(steps) {
  return steps.toLocaleString("en-US");
}

/** The labels of ticks: all with the same number of decimals, or all with an exponent. */
function tickTexts(ticks, logarithmic) {
  const top = Math.max(...ticks.map(Math.abs));
  if (logarithmic || top >= 1e6 || top < 1e-2) return ticks.map((tick) => text(tick, 3));
  const decimals = Math.max(...ticks.map((tick) => (String(tick).split(".")[1] || "").length));
  const form = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
  return ticks.map((tick) => tick.toLocaleString("en-US", form));
}

/** The index of the first of ascending numbers that is at least `value`. */
function firstAtLeast(numbers, value) {
  let low = 0,
    high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The index of the nearest of ascending numbers; -1 when there are none. */
function nearest(numbers, value) {
  const after = firstAtLeast(numbers, value);
  if (after === 0 || after === numbers.length) return Math.min(after, numbers.length - 1);
  return value - numbers[after - 1] <= numbers[after] - value ? after - 1 : after;
}

/** From where to where in a curve a range of steps is, with the neighbours that lead out of it. */
function visible(curve, [first, last]) {
  const [from, to] = [firstAtLeast(curve.x, first) - 1, firstAtLeast(curve.x, last) + 1];
  return [Math.max(0, from), Math.min(curve.x.length, to)];
}

/** The path of a curve; of many points in one column of pixels, the lowest and the highest. */
function pathOf(curve, range, x, y) {
  const [from, to] = visible(curve, range);
  const points =
    to - from > 4 * Math.abs(x.to - x.from) ? extremes(curve, from, to, x) : indices(from, to);
  const places = points.map((k) => `${x.at(curve.x[k]).toFixed(2)} ${y.at(curve.y[k]).toFixed(2)}`);
  return places.length ? `M${places.join("L")}` : "";
}

function indices(from, to) {
  return Array.from({ length: to - from }, (_, k) => from + k);
}

function extremes(curve, from, to, x) {
  const kept = [];
  for (let start = from; start < to;) {
    const column = Math.floor(x.at(curve.x[start]));
    let low = start,
      high = start,
      k = start;
    for (; k < to && Math.floor(x.at(curve.x[k])) === column; k++) {
      if (curve.y[k] < curve.y[low]) low = k;
      if (curve.y[k] > curve.y[high]) high = k;
    }
    kept.push(...[...new Set([start, low, high, k - 1])].sort((a, b) => a - b));
    start = k;
  }
  return kept;
}

/** The lowest and highest value of curves within a range, with a little room around them; from zero
    where `ground` says so and no value is below it. */
function limits(curves, range, logarithmic, ground) {
  let low = Infinity,
    high = -Infinity;
  for (const curve of curves) {
    const [from, to] = visible(curve, range);
    for (let k = from; k < to; k++) {
      if (curve.x[k] < range[0] || curve.x[k] > range[1] || (logarithmic && curve.y[k] <= 0))
        continue;
      low = Math.min(low, curve.y[k]);
      high = Math.max(high, curve.y[k]);
    }
  }
  if (low > high) return logarithmic ? [0.1, 1] : [0, 1];
  return logarithmic ? roomOfRatios(low, high) : roomOfDistances(low, high, ground);
}

function roomOfDistances(low, high, ground) {
  const least = ground ? Math.min(0, low) : low;
  const room = 0.06 * (high - least) || 0.06 * Math.abs(high) || 0.06;
  return [least === 0 ? 0 : least - room, high + room];
}

/** Six decades at most: a decay that ends at 1e-30 would flatten everything else. */
function roomOfRatios(lowest, high) {
  const low = Math.max(lowest, high / 1e6);
  const room = Math.max(1.05, (high / low) ** 0.05);
  return [low / room, high * room];
}

/** The axis of updates: where its ticks are, and how they are written. */
const UPDATES = {
  ticks: (scale, about) => scale.ticks(about).filter((tick) => Number.isInteger(tick)),
  label: count,
};

const LETTER = 6.8; // pixels that a letter of a label is wide, about
const APART = 8; // pixels between two labels at least

/** The frame that curves are drawn in: its size, its two scales, the grid and its labels. */
class Frame {
  constructor(holder, label, height, axis = UPDATES) {
    Object.assign(this, {
      holder,
      label,
      height,
      axis,
      margin: { left: 60, right: 26, top: 14, bottom: 26 },
    });
    this.svg = make("svg", { role: "img", tabindex: 0, "aria-label": label });
    holder.append(this.svg);
  }
  /** Empties the picture and sets the scales for what is to be drawn. */
  begin(range, [low, high], logarithmic = false) {
    this.width = Math.max(280, this.holder.clientWidth);
    const { left, right, top, bottom } = this.margin;
    this.x = new Scale(range[0], range[1], left, this.width - right);
    this.y = new Scale(low, high, this.height - bottom, top, logarithmic);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${this.height}`);
    this.svg.replaceChildren();
    this.grid();
    this.clip();
  }
  grid() {
    this.valueLabels();
    this.stepLabels();
  }
  /** A line and a label for each tick of the values; no label where the last one is too near. */
  valueLabels() {
    const ticks = this.y.ticks(this.height / 55);
    const names = tickTexts(ticks, this.y.logarithmic);
    let last = Infinity;
    ticks.forEach((tick, k) => {
      const y = this.y.at(tick);
      const [x1, x2] = [this.x.from, this.x.to];
      this.svg.append(make("line", { class: "grid", x1, x2, y1: y, y2: y }));
      if (last - y < 14) return;
      const place = { x: x1 - 13, y: y + 4, "text-anchor": "end", class: "y" };
      this.svg.append(make("text", place, names[k]));
      last = y;
    });
  }
  /** The labels below the axis: none upon another, none outside the picture. */
  stepLabels() {
    let free = 0;
    for (const tick of this.axis.ticks(this.x, (this.x.to - this.x.from) / 90)) {
      const label = this.axis.label(tick);
      const half = (LETTER * label.length) / 2;
      const x = Math.min(this.width - 1 - half, Math.max(half, this.x.at(tick)));
      if (x - half < free) continue;
      free = x + half + APART;
      const place = { x, "text-anchor": "middle", y: this.height - 6, class: "x" };
      this.svg.append(make("text", place, label));
    }
  }
  clip() {
    const id = `clip-${this.holder.id}`;
    const box = make("rect", {
      x: this.x.from,
      y: 0,
      width: this.x.to - this.x.from,
      height: this.y.from + 3,
    });
    this.svg.append(make("clipPath", { id }, box));
    this.plot = make("g", { "clip-path": `url(#${id})` });
    this.svg.append(this.plot);
  }
  /** Where the mouse is, in the picture's own pixels. */
  pixel(event) {
    const box = this.svg.getBoundingClientRect();
    const scale = this.width / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  }
}
