// The report: two panels on one axis of updates, one pointer, one tooltip.

const { runs, marks } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const tooltip = byId("tooltip");
const NEAR = 7; // pixels within which the pointer meets an event
const KEYS =
  "Arrows move the pointer, plus and minus look closer and back, Escape shows the whole.";
const CLOSEST = 4; // updates that are shown at least

const board = { shown: runs.map(() => true), range: wholeRange(), pointer: null, panels: [] };

/** All the updates of all the runs, made or planned. */
function wholeRange() {
  const curves = runs.flatMap((run) => [run.loss, run.validation, ...run.rates, ...run.plans]);
  return [0, Math.max(CLOSEST, ...curves.map((curve) => curve.x.at(-1) ?? 0))];
}

function runClass(number) {
  return `run-${(number % 16) + 1}`;
}

/** One picture: a frame, and what is drawn of each run in it. */
class Panel {
  constructor(id, label, height, { kinds, main, events, ground, logarithmic }) {
    this.frame = new Frame(byId(id), `${label}. ${KEYS}`, height);
    Object.assign(this, { kinds, main, events, ground, box: byId(`log-${id}`) });
    this.box.checked = logarithmic;
    this.box.addEventListener("change", drawAll);
    listen(this);
  }
  /** What is drawn: the kind of line, the curve, and the number of its run. */
  curves() {
    const drawn = [];
    runs.forEach((run, number) => {
      if (!board.shown[number]) return;
      for (const [kind, curvesOf] of Object.entries(this.kinds))
        for (const curve of curvesOf(run)) if (curve.x.length) drawn.push({ kind, curve, number });
    });
    return drawn;
  }
  draw() {
    const drawn = this.curves(),
      { frame } = this,
      logarithmic = this.box.checked;
    const curves = drawn.map(({ curve }) => curve);
    frame.begin(board.range, limits(curves, board.range, logarithmic, this.ground), logarithmic);
    for (const { kind, curve, number } of drawn) {
      const [from, to] = visible(curve, board.range),
        dense = to - from > frame.width ? " dense" : "";
      frame.plot.append(
        make("path", {
          class: `${kind} ${runClass(number)}${dense}`,
          d: pathOf(curve, board.range, frame.x, frame.y),
        }),
      );
      if (kind === "validation") this.dots(curve, number);
    }
    this.drawEvents();
    if (runs.length > 1) this.numbers();
    this.pointer = make("line", {
      class: "pointer",
      y1: frame.y.to,
      y2: frame.y.from,
      visibility: "hidden",
    });
    this.selection = make("rect", {
      class: "selection",
      y: frame.y.to,
      height: frame.y.from - frame.y.to,
      visibility: "hidden",
    });
    frame.plot.append(this.pointer, this.selection);
  }
  dots(curve, number) {
    const [from, to] = visible(curve, board.range);
    if (to - from > 60) return;
    const [first, last] = board.range,
      { x, y, svg } = this.frame;
    for (let k = from; k < to; k++)
      if (curve.x[k] >= first && curve.x[k] <= last)
        svg.append(
          make("circle", {
            cx: x.at(curve.x[k]),
            cy: y.at(curve.y[k]),
            r: 3.2,
            class: runClass(number),
          }),
        );
  }
  drawEvents() {
    const { x, y, svg } = this.frame;
    for (const { event, number } of visibleEvents(this.events)) {
      const at = x.at(event.step),
        height = this.heightOf(event, runs[number]);
      const mark = make("g", { class: `event ${event.kind} ${runClass(number)}` });
      mark.append(make("line", { x1: at, x2: at, y1: y.to, y2: y.from }));
      mark.append(
        make(
          "text",
          { x: at, y: Math.min(y.from, Math.max(y.to + 8, y.at(height) + 5)) },
          marks[event.kind],
        ),
      );
      svg.append(mark);
    }
  }
  /** The value on the curve that an event is marked at. */
  heightOf(event, run) {
    const curve = event.kind === "best" ? run.validation : this.main(run);
    return curve?.x.length ? curve.y[nearest(curve.x, event.step)] : this.frame.y.first;
  }
  /** The number of each run at the right end of its curve, none upon another. */
  numbers() {
    const { x, y, svg } = this.frame;
    const ends = [];
    runs.forEach((run, number) => {
      const curve = this.main(run);
      if (!board.shown[number] || !curve?.x.length) return;
      const [from, to] = visible(curve, board.range);
      const k = Math.max(from, to - 1);
      const beyond = curve.x[k] >= board.range[1] ? x.to + 6 : x.at(curve.x[k] + 1) + 12;
      const height = Math.min(y.from, Math.max(y.to, y.at(curve.y[k])));
      ends.push({ number, x: Math.min(x.to + 6, beyond), y: height });
    });
    ends.sort((a, b) => a.y - b.y);
    ends.forEach((end, k) => {
      if (k && ends[k - 1].x === end.x) end.y = Math.max(end.y, ends[k - 1].y + 13);
      const place = { class: `own ${runClass(end.number)}`, x: end.x, y: end.y + 4 };
      svg.append(make("text", place, String(end.number + 1)));
    });
  }
  point(step) {
    const at = this.frame.x.at(step);
    this.pointer.setAttribute("visibility", step === null ? "hidden" : "visible");
    if (step !== null) for (const end of ["x1", "x2"]) this.pointer.setAttribute(end, at);
  }
  unselect() {
    this.selection.setAttribute("visibility", "hidden");
  }
  select(from, to) {
    this.selection.setAttribute("visibility", "visible");
    this.selection.setAttribute("x", Math.min(from, to));
    this.selection.setAttribute("width", Math.abs(to - from));
  }
}

function visibleEvents(curve) {
  const inside = ({ step }) => step >= board.range[0] && step <= board.range[1];
  return runs.flatMap((run, number) =>
    (board.shown[number] ? run.events : [])
      .filter((event) => inside(event) && (!curve || event.curve === curve))
      .map((event) => ({ event, number })),
  );
}

// -- looking closer and pointing ------------------------------------------------------------------

function drawAll() {
  for (const panel of board.panels) panel.draw();
  const [first, last] = wholeRange();
  byId("reset").hidden = board.range[0] <= first && board.range[1] >= last;
  point(board.pointer);
}

function look(first, last) {
  const [start, stop] = wholeRange();
  const span = Math.min(stop - start, Math.max(CLOSEST, last - first));
  const from = Math.min(Math.max(start, first), stop - span);
  board.range = [from, from + span];
  drawAll();
}

function lookAtAll() {
  look(...wholeRange());
}

/** Looks closer (below 1) or back (above 1) around the pointer. */
function zoom(factor) {
  const [first, last] = board.range,
    middle = board.pointer ?? (first + last) / 2;
  look(middle - (middle - first) * factor, middle + (last - middle) * factor);
}

function point(step, place = null) {
  const [first, last] = board.range;
  board.pointer = step === null ? null : Math.round(Math.min(last, Math.max(first, step)));
  for (const panel of board.panels) panel.point(board.pointer);
  tooltip.hidden = board.pointer === null || !place;
  if (tooltip.hidden) return;
  tooltip.replaceChildren(...report(board.pointer));
  const box = tooltip.getBoundingClientRect();
  const right = place[0] + 18 + box.width < window.innerWidth;
  tooltip.style.left = `${Math.max(4, right ? place[0] + 18 : place[0] - 18 - box.width)}px`;
  tooltip.style.top = `${Math.max(4, Math.min(place[1] + 14, window.innerHeight - box.height - 4))}px`;
}

function listen(panel) {
  const { frame } = panel,
    { svg } = frame;
  let start = null;
  const inside = (event) => Math.min(frame.x.to, Math.max(frame.x.from, frame.pixel(event)[0]));
  svg.addEventListener("pointerdown", (event) => {
    start = inside(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (start !== null) panel.select(start, inside(event));
    point(frame.x.back(inside(event)), [event.clientX, event.clientY]);
  });
  svg.addEventListener("pointerup", (event) => {
    const from = start,
      to = inside(event);
    start = null;
    panel.unselect();
    const ends = [from, to].map((pixel) => frame.x.back(pixel)).sort((a, b) => a - b);
    if (from !== null && Math.abs(to - from) > 4) look(...ends);
  });
  const leave = () => {
    start = null;
    panel.unselect();
    point(null);
  };
  for (const name of ["pointerleave", "pointercancel", "blur"]) svg.addEventListener(name, leave);
  svg.addEventListener("dblclick", lookAtAll);
  svg.addEventListener("keydown", (event) => press(event, panel));
}

function press(event, panel) {
  const [first, last] = board.range,
    span = last - first,
    { frame } = panel;
  const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const other = {
    "+": () => zoom(0.5),
    "=": () => zoom(0.5),
    "-": () => zoom(2),
    Escape: lookAtAll,
    0: lookAtAll,
  }[event.key];
  if ((!along && !other) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  if (other) other();
  else if (event.shiftKey) look(first + (along * span) / 5, last + (along * span) / 5);
  const moved = along && !event.shiftKey ? along * Math.max(1, Math.round(span / 100)) : 0;
  const step = (board.pointer ?? Math.round((board.range[0] + board.range[1]) / 2)) + moved;
  const box = frame.svg.getBoundingClientRect();
  point(step, [
    box.left + (frame.x.at(step) * box.width) / frame.width,
    box.top + frame.margin.top,
  ]);
}

// -- the tooltip ----------------------------------------------------------------------------------

/** What there is to say of one update: a row for each run and each group of it, and the events. */
function report(step) {
  const head = ["", "loss", "validation", "learning rate", "planned"].map((name) =>
    make("th", {}, name),
  );
  const table = make("table", {}, make("tr", {}, ...head));
  runs.forEach((run, number) => {
    if (board.shown[number]) table.append(...rowsOf(run, number, step));
  });
  const near = NEAR * ((board.range[1] - board.range[0]) / board.panels[0].frame.width);
  const events = visibleEvents(null).filter(({ event }) => Math.abs(event.step - step) <= near);
  const lines = events.map(({ event, number }) => {
    const line = ` ${marks[event.kind]} ${count(event.step)}: ${event.text}`;
    return make("div", { class: `event ${runClass(number)}` }, badge(number), line);
  });
  return [make("strong", {}, `update ${count(step)}`), table, ...lines];
}

function rowsOf(run, number, step) {
  const groups = run.rates.length ? run.rates : run.plans;
  const measured = firstAtLeast(run.validation.x, step + 1) - 1;
  const { x, y } = run.validation;
  const validation = measured < 0 ? "" : `${text(y[measured])} after ${count(x[measured])}`;
  return groups.map((rates, k) => {
    const label = make("td", {}, badge(number), groups.length > 1 ? ` ${rates.group}` : "");
    const losses = k ? ["", ""] : [valueAt(run.loss, step), validation];
    const values = [
      ...losses,
      run.rates.length ? valueAt(rates, step) : "",
      valueAt(run.plans[k], step),
    ];
    return make(
      "tr",
      { class: runClass(number) },
      label,
      ...values.map((value) => make("td", {}, value)),
    );
  });
}

function badge(number) {
  return make("span", { class: `number ${runClass(number)}` }, String(number + 1));
}

/** The value at a step, or the nearest one there is and where that is. */
function valueAt(curve, step) {
  if (!curve.x.length || step < curve.x[0] || step > curve.x.at(-1)) return "";
  const k = nearest(curve.x, step),
    at = curve.x[k];
  return at === step ? text(curve.y[k]) : `${text(curve.y[k])} at ${count(at)}`;
}

/** Whether the highest learning rate of one run would press that of another to the ground. */
function areFarApart() {
  const highest = (run) =>
    run.rates.flatMap((rates) => rates.y).reduce((top, lr) => Math.max(top, lr), 0);
  const peaks = runs.map(highest).filter((peak) => peak > 0);
  return Math.max(...peaks) > 20 * Math.min(...peaks);
}

// -- the page -------------------------------------------------------------------------------------

board.panels = [
  new Panel("loss", "Loss over the updates", 340, {
    kinds: {
      raw: (run) => [run.loss],
      smooth: (run) => [run.smooth],
      validation: (run) => [run.validation],
    },
    main: (run) => (run.smooth.x.length ? run.smooth : run.validation),
    events: "loss",
    ground: false,
    logarithmic: false,
  }),
  new Panel("rate", "Learning rate over the updates", 240, {
    kinds: { rate: (run) => run.rates, plan: (run) => run.plans },
    main: (run) => run.rates[0] ?? run.plans[0],
    events: "lr",
    ground: true,
    logarithmic: areFarApart(),
  }),
];

document.querySelectorAll("button.run").forEach((button, number) =>
  button.addEventListener("click", () => {
    board.shown[number] = !board.shown[number];
    button.setAttribute("aria-pressed", board.shown[number]);
    drawAll();
  }),
);
byId("reset").addEventListener("click", lookAtAll);
byId("only-different").addEventListener("change", ({ target }) => {
  byId("settings").classList.toggle("only-different", target.checked);
});
byId("events").addEventListener("click", ({ target }) => {
  if (!target.dataset.step) return;
  const step = Number(target.dataset.step),
    reach = (wholeRange()[1] - wholeRange()[0]) / 20;
  look(step - reach, step + reach);
  byId("loss").scrollIntoView({ block: "center" });
});
new ResizeObserver(drawAll).observe(byId("loss"));
drawAll();
