// The ends of the phases as handles on the curve, to be dragged or moved by keys.
//
// Handle k lies where phase k - 1 ends and phase k begins. Where both have the same value there it is
// one handle for both; where the curve jumps there are two, one for each.

const REACH = 200; // a drag moves in round numbers, about so many across the picture

function handles() {
  const list = page.answer.parts, found = [];
  list.forEach((phase, number) => {
    const joined = number > 0 && areJoined(list[number - 1], phase);
    if (!joined) found.push({ name: `${number}-start`, boundary: number, step: phase.start, value: phase.first, sides: ["start"], number });
    if (phase.length !== null) {
      const next = list[number + 1], both = next && areJoined(phase, next);
      found.push({ name: `${number}-end`, boundary: number + 1, step: phase.start + phase.length, value: phase.last, sides: both ? ["end", "start"] : ["end"], number });
    }
  });
  return found.filter(({ value }) => value !== null);
}

function areJoined(before, after) {
  return before.last !== null && Math.abs(before.last - after.first) <= 1e-9 * Math.max(1e-300, Math.abs(before.last), Math.abs(after.first));
}

function handleElement(handle) {
  const label = `end of phase ${handle.number + 1}: update ${handle.step.toLocaleString("en-US")}, value ${known(handle.value)}`;
  const circle = make("circle", {
    class: `handle ${phaseClass(handle.number)}`, r: 7, cx: frame.x.at(handle.step), cy: frame.y.at(handle.value),
    tabindex: 0, role: "slider", "aria-label": label, "aria-valuenow": handle.value, "data-handle": handle.name,
  });
  circle.addEventListener("pointerdown", (event) => take(event, handle));
  circle.addEventListener("keydown", (event) => nudge(event, handle));
  circle.addEventListener("focus", () => { page.held = handle.name; });
  circle.addEventListener("blur", () => { if (circle.isConnected) page.held = null; });
  return circle;
}

/** Drags a handle: every change is made to the phases as they were when it was taken. */
function take(event, handle) {
  event.preventDefault();
  const before = parts(), [x, y] = [frame.x, frame.y];
  const quantum = { step: Math.max(1, roundStep((x.last - x.first) / REACH)), value: roundStep((y.last - y.first) / REACH) };
  page.dragging = true;
  page.held = handle.name;
  const move = (moved) => {
    const [px, py] = frame.pixel(moved);
    const step = round(x.back(px), quantum.step), value = round(y.back(Math.min(y.from, Math.max(y.to, py))), quantum.value);
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

function round(value, quantum) { return Number((Math.round(value / quantum) * quantum).toPrecision(12)); }

function nudge(event, handle) {
  const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
  if (!right && !up) return;
  event.preventDefault();
  const step = Math.max(1, roundStep((frame.x.last - frame.x.first) / REACH)), value = roundStep((frame.y.last - frame.y.first) / REACH);
  const target = [handle.step + right * step, Number((handle.value + up * value).toPrecision(12))];
  ask({ parts: moveTo(parts(), handle, ...target, event.shiftKey) });
}

function moveTo(list, handle, step, value, shifts) {
  if (step !== handle.step) moveBoundary(list, handle.boundary, step, shifts);
  if (value !== handle.value) for (const side of handle.sides) setValue(list, side === "end" ? handle.boundary - 1 : handle.boundary, side, value);
  return list;
}

/** Moves where one phase ends: the next one makes up for it, or moves along. */
function moveBoundary(list, boundary, step, shifts) {
  const left = list[boundary - 1], right = list[boundary];
  if (!left?.kind) return;
  const pays = right?.kind && right.length !== null && !shifts;
  const last = pays ? right.start + right.length - 1 : Infinity;
  const stop = Math.min(last, Math.max(left.start + 1, step));
  if (pays) setLength(right, right.start + right.length - stop);
  setLength(left, stop - left.start);
}

/** A new length in updates, written in the unit the old one has. */
function setLength(phase, length) {
  const [, number, unit] = String(phase.arguments.steps).match(/^([\d.e+]+?)(ep|tok|%)?$/i) ?? [null, phase.length, ""];
  const amount = (length * Number(number)) / phase.length;
  phase.arguments.steps = unit ? `${Number(amount.toPrecision(4))}${unit}` : length;
}

/** A value at one side of a phase; what is level stays level, and what was joined to it follows. */
function setValue(list, number, side, value) {
  const phase = list[number];
  if (!phase?.kind) return;
  if (phase.kind !== "constant") { phase.arguments[side] = value; return; }
  const { first } = phase;
  phase.arguments.value = value;
  const before = list[number - 1], after = list[number + 1];
  if (before?.kind && before.kind !== "constant" && before.last === first) before.arguments.end = value;
  if (after?.kind && after.kind !== "constant" && after.first === first) after.arguments.start = value;
}
