// One panel: a section with a heading, a key, a picture, and its values as a table.

const HEIGHTS = { loss: 340, lr: 240 };
const OTHER_HEIGHT = 200;
const MOST_DOTS = 60; // measurements that are shown as dots as well
const DIGIT = 5; // pixels from the left of a number to its middle, about
const TABULATED = ["smooth", "rate", "validation", "forecast"];
const COLUMNS = { large: 11, small: 6 }; // of the table of values
const KEY_NAMES = {
  raw: "batches",
  smooth: "smoothed",
  validation: "validation",
  rate: "as it was",
  plan: "as planned",
  band: "mean ± standard deviation",
  forecast: "recommended",
  interval: "9 of 10 runs",
};
const KEY_PATHS = {
  raw: "M0 5l4-3 4 4 4-4 4 3 4-3 4 3",
  smooth: "M0 5h24",
  validation: "M0 4h24",
  rate: "M0 4h24",
  plan: "M0 4h24",
  band: "M0 0h24v8h-24Z",
  forecast: "M1 4h23",
  interval: "M0 0h24v8h-24Z",
};

class Panel {
  constructor(spec, id) {
    Object.assign(this, { spec, id, lines: [] });
    this.build();
    const height = HEIGHTS[spec.key] ?? OTHER_HEIGHT;
    this.frame = new Frame(this.chart, spec.title, height, AXES[board.axis]);
    this.frame.svg.setAttribute("role", "application");
    this.frame.svg.setAttribute("aria-roledescription", "chart");
    this.frame.svg.setAttribute("aria-describedby", "keys");
    listen(this);
  }
  build() {
    const { spec, id } = this;
    const heading = make("h2", { id: `${id}-heading` }, spec.title);
    this.key = make("ul", { class: "key", "aria-hidden": "true" });
    this.box = make("input", { type: "checkbox", id: `log-${id}` });
    this.box.checked = spec.key === "lr" && areFarApart();
    this.box.addEventListener("change", drawAll);
    const label = make("label", {}, this.box, " logarithmic");
    this.chart = make("div", { class: "chart", id });
    this.values = make("details", { class: "values" }, make("summary", {}, "values as a table"));
    this.values.addEventListener("toggle", () => this.tabulate());
    this.size = spec.key in HEIGHTS ? "large" : "small";
    const bar = make("div", { class: "bar" }, heading, this.key, label);
    const attributes = { "aria-labelledby": `${id}-heading`, class: `panel ${this.size}` };
    this.section = make("section", attributes, bar, this.chart, this.values);
  }
  draw() {
    const { frame } = this;
    const logarithmic = this.box.checked;
    this.lines = linesOf(this.spec);
    frame.axis = AXES[board.axis];
    frame.begin(board.range, this.limits(logarithmic), logarithmic);
    for (const line of this.lines) this.drawLine(line);
    this.drawSigns();
    this.drawPointer();
    this.drawKey();
    this.tabulate();
  }
  limits(logarithmic) {
    const edges = ({ curve }) =>
      curve.low ? [curve.low, curve.high].map((y) => ({ x: curve.x, y })) : [curve];
    return limits(this.lines.flatMap(edges), board.range, logarithmic, this.spec.setting);
  }
  drawLine({ kind, curve, number }) {
    const { x, y, plot, width } = this.frame;
    const [from, to] = visible(curve, board.range);
    const dense = to - from > width ? " dense" : "";
    const d = kind === "band" || kind === "interval" ? bandPath(curve, board.range, x, y) : pathOf(curve, board.range, x, y);
    plot.append(make("path", { class: `${kind} ${runClass(number)}${dense}`, d }));
    if (kind === "validation" || to - from === 1) this.drawDots(curve, number, [from, to]);
  }
  drawDots(curve, number, [from, to]) {
    const { x, y, svg } = this.frame;
    const [first, last] = board.range;
    if (to - from > MOST_DOTS) return;
    for (let k = from; k < to; k++) {
      const [cx, cy] = [x.at(curve.x[k]), y.at(curve.y[k])];
      const inside = curve.x[k] >= first && curve.x[k] <= last && cy <= y.from + 1;
      if (inside) svg.append(make("circle", { cx, cy, r: 3.2, class: runClass(number) }));
    }
  }
  /** The signs of the events and the numbers of the runs, none upon another. */
  drawSigns() {
    const taken = drawnSets().length > 1 ? this.drawNumbers() : [];
    for (const { event, number } of visibleEvents(this.spec.key))
      this.drawEvent(event, number, taken);
  }
  drawEvent(event, number, taken) {
    const { x, y, svg } = this.frame;
    const at = x.at(place(number, event.step));
    const mark = make("g", { class: `event ${event.kind} ${runClass(number)}` });
    mark.append(make("line", { x1: at, x2: at, y1: y.to, y2: y.from }));
    const wanted = y.at(this.heightOf(event, number)) + 5;
    const height = freeHeight(at, wanted, taken, y.to + 10, y.from - 2);
    if (height !== null) {
      taken.push({ x: at, y: height });
      mark.append(make("text", { x: at, y: height }, marks[event.kind]));
    }
    svg.append(mark);
  }
  /** The value on the curve that an event is marked at. */
  heightOf(event, number) {
    const kinds = event.kind === "best" ? ["validation"] : ["smooth", "rate", "validation", "plan"];
    const own = this.lines.filter((line) => line.members.includes(number));
    const line = firstOf(own, kinds);
    const position = place(number, event.step);
    return line ? line.curve.y[nearest(line.curve.x, position)] : this.frame.y.first;
  }
  /** The number of each run at the right end of its curve; gives their places. */
  drawNumbers() {
    const { y, svg } = this.frame;
    const ends = drawnSets().map((set) => this.endOf(set)).filter(Boolean);
    const kept = apart(ends, y.to + 4, y.from - 4);
    for (const { number, x, y: height } of kept) {
      const at = { class: `own ${runClass(number)}`, x, y: height + 4 };
      svg.append(make("text", at, String(number + 1)));
    }
    return kept.map((label) => ({ x: label.x + DIGIT, y: label.y + 4 }));
  }
  endOf({ number }) {
    const { x, y } = this.frame;
    const [first, last] = board.range;
    const isVisible = ({ curve }) => curve.x.at(-1) >= first && curve.x[0] <= last;
    const own = this.lines.filter((line) => line.number === number && isVisible(line));
    const line = firstOf(own, ["smooth", "rate", "validation", "plan"]);
    if (!line) return null;
    const k = Math.max(0, firstAtLeast(line.curve.x, last + 1e-9 * (last - first)) - 1);
    const isLast = k === line.curve.x.length - 1 && line.curve.x[k] < last;
    const end = isLast ? Math.min(x.to + 9, x.at(line.curve.x[k]) + 12) : x.to + 9;
    return { number, x: Math.max(x.from, end), y: y.at(line.curve.y[k]) };
  }
  drawPointer() {
    const { y, plot } = this.frame;
    const [top, bottom] = [y.to, y.from];
    const hidden = { visibility: "hidden" };
    this.pointer = make("line", { class: "pointer", y1: top, y2: bottom, ...hidden });
    this.selection = make("rect", { class: "selection", y: top, height: bottom - top, ...hidden });
    plot.append(this.pointer, this.selection);
  }
  drawKey() {
    const drawn = new Set(this.lines.map(({ kind }) => kind));
    const kinds = Object.keys(KEY_NAMES).filter((kind) => drawn.has(kind));
    const told = kinds.length > 1 || drawn.has("plan") ? kinds : [];
    this.key.replaceChildren(...told.map(keyItem));
  }
  point(position) {
    this.pointer.setAttribute("visibility", position === null ? "hidden" : "visible");
    if (position === null) return;
    const at = this.frame.x.at(position);
    for (const end of ["x1", "x2"]) this.pointer.setAttribute(end, at);
  }
  unselect() {
    this.selection.setAttribute("visibility", "hidden");
  }
  select(from, to) {
    this.selection.setAttribute("visibility", "visible");
    this.selection.setAttribute("x", Math.min(from, to));
    this.selection.setAttribute("width", Math.abs(to - from));
  }
  /** The values of the curves at a few positions of the picture, for those who cannot see it. */
  tabulate() {
    this.values.querySelector(".wide")?.remove();
    if (this.values.open) this.values.append(make("div", { class: "wide" }, this.valueTable()));
  }
  /** A row for each curve, a column for each position. */
  valueTable() {
    const lines = this.lines.filter(({ kind }) => TABULATED.includes(kind));
    const columns = positions(board.range, COLUMNS[this.size]);
    const labels = columns.map(AXES[board.axis].label);
    const head = ["", ...labels].map((name) => make("th", { scope: "col" }, name));
    const rows = lines.map((line) => {
      const cells = columns.map((position, k) => {
        const value = known(valueOn(line.curve, position));
        return make("td", { "data-label": labels[k], "data-value": value }, value);
      });
      return make("tr", {}, make("th", { scope: "row" }, lineName(line)), ...cells);
    });
    const caption = make("caption", { class: "spoken" }, `${this.spec.title}, some values`);
    const [top, body] = [make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)];
    return make("table", {}, caption, top, body);
  }
}

/** The first line of the first kind that there is one of. */
function firstOf(lines, kinds) {
  return kinds.map((kind) => lines.find((line) => line.kind === kind)).find(Boolean);
}

function keyItem(kind) {
  const line = make("path", { class: kind, d: KEY_PATHS[kind] });
  const sample = make("svg", { viewBox: "0 0 24 8" }, line);
  if (kind === "validation") sample.append(make("circle", { cx: 12, cy: 4, r: 3 }));
  return make("li", {}, sample, KEY_NAMES[kind]);
}

function lineName({ kind, name, label }) {
  const part = name.includes("/") ? ` ${name.slice(name.indexOf("/") + 1)}` : "";
  return `${label}${part}${["validation", "forecast"].includes(kind) ? ` ${kind}` : ""}`;
}

function known(value) {
  return value === null ? "" : text(value);
}

/** So many positions, evenly from the first to the last of a range; of updates, whole ones. */
function positions([first, last], many) {
  const whole = board.axis === "updates" ? Math.round : Number;
  const all = Array.from({ length: many }, (_, k) =>
    whole(first + ((last - first) * k) / (many - 1)),
  );
  return [...new Set(all)];
}
