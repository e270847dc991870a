// The curve, the one it is compared with, and the pointer on them.

const frame = new Frame(byId("curve"), "The schedule over the updates of the run", 340);
frame.svg.removeAttribute("tabindex");

function phaseClass(number) {
  return `run-${(number % 16) + 1}`;
}

function draw() {
  const { answer, dragging } = page;
  const { stop, compare } = answer;
  const logarithmic = byId("log").checked;
  const curves = compare?.curve ? [answer.curve, compare.curve] : [answer.curve];
  if (!dragging) page.scale = [[0, stop], limits(curves, [0, stop], logarithmic, true)];
  frame.begin(...page.scale, logarithmic);
  drawCurve(answer, compare);
  const { y, plot } = frame;
  page.line = make("line", { class: "pointer", y1: y.to, y2: y.from, visibility: "hidden" });
  plot.append(page.line);
  drawHandles();
}

function drawCurve(answer, compare) {
  const { x, y, plot } = frame,
    { stop } = answer;
  if (compare?.curve)
    plot.append(make("path", { class: "compared", d: pathOf(compare.curve, [0, stop], x, y) }));
  leavesOf(answer.parts).forEach(({ node }, number) => drawPhase(number, node));
  for (const { node } of nodesOf(answer.parts)) if (node.kind === "repeat") drawCycles(node);
  const end = answer.length ?? stop;
  if (end < stop) drawPart("after", end, stop);
  if (answer.steps < stop) drawRunEnd(x.at(answer.steps));
}

/** The cycles of a repetition after the first one, whose phases are drawn by themselves. */
function drawCycles(node) {
  const { start, length } = node.parts.at(-1);
  if (length === null) return;
  drawPart(
    "again",
    start + length,
    Math.min(page.answer.stop, node.start + (node.length ?? Infinity)),
  );
}

function drawRunEnd(at) {
  const { y, plot } = frame;
  plot.append(make("line", { class: "run-end", x1: at, x2: at, y1: y.to, y2: y.from }));
}

/** Draws the curve from one step to another as one path; its data. */
function drawPart(kind, first, last) {
  if (first >= last) return "";
  const d = pathOf(between(first, last), [first, last], frame.x, frame.y);
  frame.plot.append(make("path", { class: kind, d }));
  return d;
}

/** The points of the curve from one step to another, right up to both. */
function between(first, last) {
  const { curve } = page.answer;
  const from = firstAtLeast(curve.x, first);
  const to = Math.max(from + 1, firstAtLeast(curve.x, last));
  const [x, y] = [curve.x.slice(from, to), curve.y.slice(from, to)];
  return { x: [first, ...x, last], y: [y[0], ...y, y.at(-1)] };
}

function drawPhase(number, { start, length }) {
  const { x, y, plot } = frame;
  const stop = Math.min(page.answer.stop, start + (length ?? Infinity));
  const line = drawPart(`line ${phaseClass(number)}`, start, stop);
  if (!line) return;
  const ground = y.at(Math.max(0, y.first));
  const [left, right] = [start, stop].map((step) => x.at(step).toFixed(2));
  const d = `${line}L${right} ${ground}L${left} ${ground}Z`;
  plot.prepend(make("path", { class: `area ${phaseClass(number)}`, d }));
}

/** A value beside the peak, where what rounding leaves of a zero is a zero. */
function known(value) {
  if (value === null) return "too large for a number";
  return text(Math.abs(value) <= 1e-12 * Math.abs(page.answer.peak.value ?? 1) ? 0 : value);
}

/** Shows the values at the step that the pointer is nearest to. */
function point(event) {
  const { values, compare } = page.answer;
  const k = nearest(values.x, frame.x.back(frame.pixel(event)[0]));
  const step = values.x[k];
  for (const end of ["x1", "x2"]) page.line.setAttribute(end, frame.x.at(step));
  page.line.setAttribute("visibility", "visible");
  const second = compare?.values ? `, compared ${known(valueAt(compare.values, step))}` : "";
  byId("readout").textContent =
    `update ${count(step)}: ${known(values.y[k])}, ${phaseAt(step)}${second}`;
}

function valueAt(values, step) {
  return values.y[nearest(values.x, step)];
}

/** The name of the phase that a step is in. */
function phaseAt(step) {
  const leaves = leavesOf(page.answer.parts);
  const within = ({ node }) => node.start <= step && step < node.start + (node.length ?? Infinity);
  const number = leaves.findIndex(within);
  if (number >= 0) return `phase ${number + 1}`;
  return step >= (page.answer.length ?? Infinity) ? `phase ${leaves.length}` : "a later cycle";
}

frame.svg.addEventListener("pointermove", (event) => {
  if (!page.dragging) point(event);
});
frame.svg.addEventListener("pointerleave", () => page.line.setAttribute("visibility", "hidden"));
