// The ends of the phases as handles on the curve, to be dragged or moved by keys.
//
// Where a phase begins with the value the one before ended with, one handle moves both; where the
// curve jumps there are two. The handles are in an SVG of their own over the curve and stay
// in the document when the curve is drawn again: focus and pointer capture are kept.

const REACH = 200; // a drag moves in round numbers, about so many across the picture
const STILL = 3; // pixels of a drag along one axis that are ignored
const MOVES = {
  ArrowLeft: { step: -1 },
  ArrowRight: { step: 1 },
  ArrowUp: { value: 1 },
  ArrowDown: { value: -1 },
  PageUp: { value: 10 },
  PageDown: { value: -10 },
  Home: { end: 0 },
  End: { end: 1 },
};

const circles = make("g"),
  label = make("text", { class: "label" });
const overlay = make("svg", {
  class: "handles",
  role: "group",
  "aria-label": "ends of the phases",
});
overlay.append(circles, label);
byId("curve").append(overlay);

/** The handles of a tree of phases that can be moved. */
function handlesOf(tree) {
  const leaves = leavesOf(tree);
  const both = leaves.flatMap((_, number) => [
    startHandle(leaves, number),
    endHandle(leaves, number),
  ]);
  return both.filter((handle) => handle && handle.value !== null && isMovable(leaves, handle));
}

/** The handle where a phase begins with another value than the one before it ends with. */
function startHandle(leaves, number) {
  const { node, index } = leaves[number];
  if (number > 0 && areJoined(leaves[number - 1], leaves[number])) return null;
  const sides = [{ number, side: "start" }];
  const left = index > 0 && leaves[number - 1].list === leaves[number].list ? number - 1 : null;
  return { name: `${number}-start`, number, left, step: node.start, value: node.first, sides };
}

/** The handle where a phase ends, and perhaps the next one begins. */
function endHandle(leaves, number) {
  const { start, length, last } = leaves[number].node;
  if (length === null) return null;
  const sides = [{ number, side: "end" }];
  if (number + 1 < leaves.length && areJoined(leaves[number], leaves[number + 1]))
    sides.push({ number: number + 1, side: "start" });
  return { name: `${number}-end`, number, left: number, step: start + length, value: last, sides };
}

/** True if a phase beside the handle has a shape: a text is changed in its row. */
function isMovable(leaves, { left, sides }) {
  const canRise = ({ number }) => leaves[number].node.kind && leaves[number].node.scale;
  return Boolean(sides.some(canRise) || (left !== null && leaves[left].node.kind));
}

// -- drawing --------------------------------------------------------------------------------------

function drawHandles() {
  overlay.setAttribute("viewBox", frame.svg.getAttribute("viewBox"));
  const list = handlesOf(page.answer.parts);
  const names = new Set(list.map(({ name }) => name));
  const lost = focusedHandle() && !names.has(focusedHandle()) ? focusedHandle() : null;
  for (const circle of [...circles.children])
    if (!names.has(circle.dataset.handle)) circle.remove();
  list.forEach((handle, place) => drawHandle(handle, place));
  if (lost) refocus(lost);
  byId("hint").hidden = list.length === 0;
  byId("no-handles").hidden = list.length > 0;
  showLabel(page.dragging ?? focusedHandle());
}

function focusedHandle() {
  return document.activeElement?.dataset?.handle ?? null;
}

function drawHandle(handle, place) {
  let circle = circleOf(handle.name);
  if (!circle) {
    circle = newCircle(handle.name);
    circles.insertBefore(circle, circles.children[place] ?? null);
  }
  const [low, high] = valuesFor(handle);
  const attributes = {
    class: `handle ${phaseClass(handle.number)}`,
    cx: frame.x.at(handle.step),
    cy: heightOf(handle.value),
    "aria-label": `${handle.sides[0].side} of phase ${handle.number + 1}`,
    "aria-valuemin": low,
    "aria-valuemax": high,
    "aria-valuenow": handle.value,
    "aria-valuetext": `update ${count(handle.step)}, value ${known(handle.value)}`,
  };
  for (const [name, value] of Object.entries(attributes)) circle.setAttribute(name, value);
}

function circleOf(name) {
  return circles.querySelector(`[data-handle="${name}"]`);
}

/** The height of a value in the picture; on a logarithmic axis, 0 and below are at the bottom. */
function heightOf(value) {
  return Math.min(frame.y.from, frame.y.at(value));
}

function newCircle(name) {
  const circle = make("circle", { r: 7, tabindex: 0, role: "slider", "data-handle": name });
  circle.setAttribute("aria-describedby", "hint");
  circle.addEventListener("pointerdown", (event) => take(event, name));
  // Touch would scroll the page: Chromium ignores `touch-action` on shapes inside an SVG.
  circle.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
  circle.addEventListener("keydown", (event) => press(event, name));
  for (const kind of ["focus", "pointerenter"])
    circle.addEventListener(kind, () => showLabel(name));
  for (const kind of ["blur", "pointerleave"])
    circle.addEventListener(kind, () => showLabel(page.dragging ?? focusedHandle()));
  return circle;
}

/** Moves the focus to the handle that replaces a removed one. */
function refocus(name) {
  const [number, side] = name.split("-");
  const before = side === "start" ? circleOf(`${number - 1}-end`) : null;
  (before ?? circleOf(`${number}-end`) ?? circles.firstElementChild)?.focus();
}

/** The lowest and highest value that a handle is moved to by the keys Home and End. */
function valuesFor({ sides, value }) {
  const leaves = leavesOf(page.answer.parts),
    { scale, shift } = leaves[sides[0].number].node;
  const all = leaves
    .flatMap(({ node }) => [node.first, node.last])
    .filter((found) => found !== null);
  const values = [shift, scale + shift, value, ...all];
  return [Math.min(...values), Math.max(...values)];
}

/** Writes the place of a handle beside it. */
function showLabel(name) {
  const handle = name && handlesOf(page.answer.parts).find((found) => found.name === name);
  label.textContent = handle ? `${count(handle.step)}: ${known(handle.value)}` : "";
  if (!handle) return;
  const half = 4 * label.textContent.length,
    [x, y] = [frame.x.at(handle.step), heightOf(handle.value)];
  label.setAttribute("x", Math.max(half, Math.min(frame.width - half, x)));
  label.setAttribute("y", y > 40 ? y - 14 : y + 24);
}

// -- moving ---------------------------------------------------------------------------------------

/** A round number that a drag or a key moves by. */
function quantumOf({ first, last }) {
  return roundStep((last - first) / REACH);
}

function round(value, quantum) {
  return Number((Math.round(value / quantum) * quantum).toPrecision(12));
}

/** The nearest drawn value that is a round number in the node's own values. */
function roundValue(node, value, pace = 1) {
  const { scale, shift } = node;
  if (!scale) return value;
  const own = (value - shift) / scale;
  const quantum = roundStep(
    (Math.min(pace, 1) * (frame.y.last - frame.y.first)) / REACH / Math.abs(scale),
  );
  const rounded = frame.y.logarithmic
    ? Number(own.toPrecision(pace < 1 ? 5 : 3))
    : round(own, quantum);
  return scale * rounded + shift;
}

/** Drags a handle: every change is made to the phases as they were when it was taken. */
function take(event, name) {
  event.preventDefault();
  const before = parts(),
    handle = handlesOf(before).find((found) => found.name === name);
  if (!handle) return;
  const grip = { handle, before, from: frame.pixel(event), mark: `drag ${Date.now()}` };
  page.dragging = name;
  circleOf(name).focus();
  const move = (moved) => dragTo(grip, moved);
  const drop = () => {
    page.dragging = null;
    document.removeEventListener("pointermove", move);
    for (const kind of ["pointerup", "pointercancel"]) document.removeEventListener(kind, drop);
    if (!page.busy) draw();
  };
  document.addEventListener("pointermove", move);
  for (const kind of ["pointerup", "pointercancel"]) document.addEventListener(kind, drop);
}

function dragTo({ handle, before, from, mark }, event) {
  const tree = structuredClone(before),
    { x, y } = frame;
  const [right, down] = frame.pixel(event).map((pixel, axis) => pixel - from[axis]);
  const target = { ...handle };
  if (Math.abs(right) > STILL)
    target.step = round(x.back(x.at(handle.step) + right), Math.max(1, quantumOf(x)));
  if (Math.abs(down) > STILL) {
    const height = Math.min(y.from, Math.max(y.to, heightOf(handle.value) + down));
    const isAtBottom = handle.value <= 0 && y.logarithmic && height === y.from;
    if (!isAtBottom) target.value = roundValue(leafOf(tree, handle).node, y.back(height));
  }
  moveTo(tree, handle, target, event.shiftKey || byId("along").checked);
  ask({ parts: tree }, { mark, origin: circleOf(handle.name) });
}

/** The phase that a handle's value belongs to. */
function leafOf(tree, { sides }) {
  return leavesOf(tree)[sides[0].number];
}

/** Moves a handle by a key: Shift makes the move a tenth, Ctrl ten times as large. */
function press(event, name) {
  const move = MOVES[event.key];
  if (!move || event.altKey || event.metaKey) return;
  event.preventDefault();
  const tree = parts(),
    handle = handlesOf(tree).find((found) => found.name === name);
  if (!handle) return;
  const pace = event.shiftKey ? 0.1 : event.ctrlKey ? 10 : 1;
  moveTo(tree, handle, moved(handle, leafOf(tree, handle).node, move, pace), byId("along").checked);
  const mark = event.repeat ? page.keyMark : `key ${performance.now()}`;
  page.keyMark = mark;
  ask({ parts: tree }, { mark, origin: circleOf(name) });
}

/** Where a key moves a handle to. */
function moved(handle, node, { step = 0, value = 0, end }, pace) {
  if (end !== undefined) return { ...handle, value: valuesFor(handle)[end] };
  const steps = step * Math.max(1, Math.round(pace * quantumOf(frame.x)));
  return { ...handle, step: handle.step + steps, value: risen(handle.value, node, value, pace) };
}

/** A value after a key raised it, or lowered it where `moves` is negative. */
function risen(value, node, moves, pace) {
  const { y } = frame;
  if (!moves || !node.scale) return value;
  if (!y.logarithmic) return roundValue(node, value + moves * pace * quantumOfValue(node), pace);
  if (value <= 0) return moves > 0 ? roundValue(node, y.first, pace) : value;
  return roundValue(node, y.back(y.at(value) + (moves * pace * (y.to - y.from)) / REACH), pace);
}

/** The size of a key's move of a value: a round number in the node's own values. */
function quantumOfValue({ scale }) {
  return roundStep((frame.y.last - frame.y.first) / REACH / Math.abs(scale)) * Math.abs(scale);
}

function moveTo(tree, handle, target, along) {
  const leaves = leavesOf(tree);
  if (target.step !== handle.step && handle.left !== null)
    moveEnd(leaves, handle.left, target.step, along);
  if (target.value === handle.value) return;
  for (const { number, side } of handle.sides) setValue(leaves, number, side, target.value);
}
