// The ends of the phases as handles on the curve, to be dragged or moved by keys.
//
// Handle k lies where phase k - 1 ends and phase k begins. Where both have the same value there it is
// one handle for both; where the curve jumps there are two, one for each.

const REACH = 200; // a drag moves in round numbers, about so many across the picture

function handles() {
  const list = page.answer.parts;
  const found = list.flatMap((phase, number) => [
    startHandle(list, number),
    endHandle(list, number),
  ]);
  return found.filter((handle) => handle && handle.value !== null && isMovable(list, handle));
}

/** Where a phase begins with another value than the one before it ends with. */
function startHandle(list, number) {
  const { start, first } = list[number];
  if (number > 0 && areJoined(list[number - 1], list[number])) return null;
  return {
    name: `${number}-start`,
    boundary: number,
    step: start,
    value: first,
    sides: ["start"],
    number,
  };
}

/** Where a phase ends, and perhaps the next one begins. */
function endHandle(list, number) {
  const { start, length, last } = list[number],
    boundary = number + 1;
  if (length === null) return null;
  const both = boundary < list.length && areJoined(list[number], list[boundary]);
  const sides = both ? ["end", "start"] : ["end"];
  return { name: `${number}-end`, boundary, step: start + length, value: last, sides, number };
}

function areJoined(before, after) {
  const size = Math.max(Math.abs(before.last), Math.abs(after.first));
  return before.last !== null && Math.abs(before.last - after.first) <= 1e-9 * size;
}

/** Whether a phase beside the handle has a shape: one that is text is changed in its row. */
function isMovable(list, { boundary, sides }) {
  return (
    sides.some((side) => list[phaseOf(boundary, side)].kind) || Boolean(list[boundary - 1]?.kind)
  );
}

/** The phase whose end or start is meant. */
function phaseOf(boundary, side) {
  return side === "end" ? boundary - 1 : boundary;
}

/** What a drag or a key moves by: round numbers. */
function quantumOf({ first, last }) {
  return roundStep((last - first) / REACH);
}

function handleElement(handle) {
  const side = handle.sides[0];
  const label = `${side} of phase ${handle.number + 1}: update ${count(handle.step)}, value ${known(handle.value)}`;
  const circle = make("circle", {
    class: `handle ${phaseClass(handle.number)}`,
    r: 7,
    cx: frame.x.at(handle.step),
    cy: frame.y.at(handle.value),
    tabindex: 0,
    role: "slider",
    "aria-label": label,
    "aria-valuenow": handle.value,
    "data-handle": handle.name,
  });
  circle.addEventListener("pointerdown", (event) => take(event, handle));
  circle.addEventListener("keydown", (event) => nudge(event, handle));
  circle.addEventListener("focus", () => {
    page.held = handle.name;
  });
  circle.addEventListener("blur", () => {
    if (circle.isConnected) page.held = null;
  });
  return circle;
}

/** Drags a handle: every change is made to the phases as they were when it was taken. */
function take(event, handle) {
  event.preventDefault();
  const before = parts(),
    [x, y] = [frame.x, frame.y];
  const [stepQuantum, valueQuantum] = [Math.max(1, quantumOf(x)), quantumOf(y)];
  page.dragging = true;
  page.held = handle.name;
  const move = (moved) => {
    const [px, py] = frame.pixel(moved);
    const step = round(x.back(px), stepQuantum);
    const value = round(y.back(Math.min(y.from, Math.max(y.to, py))), valueQuantum);
    ask({ parts: moveTo(structuredClone(before), handle, step, value, moved.shiftKey) });
  };
  const drop = () => {
    page.dragging = false;
    document.removeEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) document.removeEventListener(name, drop);
    if (!page.busy) draw();
  };
  document.addEventListener("pointermove", move);
  for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, drop);
}

function round(value, quantum) {
  return Number((Math.round(value / quantum) * quantum).toPrecision(12));
}

const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

function nudge(event, handle) {
  if (!(event.key in KEYS)) return;
  event.preventDefault();
  const [right, up] = KEYS[event.key];
  const step = handle.step + right * Math.max(1, quantumOf(frame.x));
  const value = Number((handle.value + up * quantumOf(frame.y)).toPrecision(12));
  ask({ parts: moveTo(parts(), handle, step, value, event.shiftKey) });
}

function moveTo(list, handle, step, value, shifts) {
  if (step !== handle.step) moveBoundary(list, handle.boundary, step, shifts);
  if (value === handle.value) return list;
  for (const side of handle.sides) setValue(list, phaseOf(handle.boundary, side), side, value);
  return list;
}

/** Moves where one phase ends: the next one makes up for it, or moves along. */
function moveBoundary(list, boundary, step, shifts) {
  const left = list[boundary - 1],
    right = list[boundary];
  if (!left?.kind) return;
  const pays = right?.kind && right.length !== null && !shifts;
  const last = pays ? right.start + right.length - 1 : Infinity;
  const stop = Math.min(last, Math.max(left.start + 1, step));
  if (pays) setLength(right, right.start + right.length - stop);
  setLength(left, stop - left.start);
}

/** A new length in updates, written in the unit the old one has. */
function setLength(phase, length) {
  const unit = String(phase.arguments.steps).match(/ep$|tok$|%$/i);
  const amount = (length * parseFloat(phase.arguments.steps)) / phase.length;
  phase.arguments.steps = unit ? `${Number(amount.toPrecision(4))}${unit[0]}` : length;
}

/** A value at one side of a phase; what is level stays level, and what was joined to it follows. */
function setValue(list, number, side, value) {
  const phase = list[number];
  if (!phase?.kind) return;
  if (phase.kind !== "constant") {
    phase.arguments[side] = value;
    return;
  }
  const { first } = phase;
  phase.arguments.value = value;
  const before = list[number - 1],
    after = list[number + 1];
  if (before?.kind && before.kind !== "constant" && before.last === first)
    before.arguments.end = value;
  if (after?.kind && after.kind !== "constant" && after.first === first)
    after.arguments.start = value;
}
