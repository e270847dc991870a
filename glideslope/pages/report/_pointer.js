// Pointing and looking closer, by mouse, by touch and by keys: all panels at once.

/** From the first to the last position that a shown run has, made or planned. */
function wholeRange() {
  const axis = AXES[board.axis];
  if (board.axis === "share") return [0, 1];
  const ends = runs.filter(axis.has).map((run) => axis.place(run, lastStep(run)));
  return [0, Math.max(axis.closest, ...ends)];
}

/** The last update that any curve of a run has. */
function lastStep({ curves, plans, length }) {
  const all = [...Object.values(curves), ...Object.values(plans)];
  return all.length ? Math.max(length, ...all.map(({ x }) => x.at(-1))) : 0;
}

function look(first, last) {
  const [start, stop] = wholeRange();
  const span = Math.min(stop - start, Math.max(AXES[board.axis].closest, last - first));
  const from = Math.min(Math.max(start, first), stop - span);
  board.range = [from, from + span];
  drawAll();
}

function lookAtAll() {
  look(...wholeRange());
}

function isWhole() {
  const [first, last] = wholeRange();
  return board.range[0] <= first && board.range[1] >= last;
}

/** Looks closer (below 1) or back (above 1) around the pointer. */
function zoom(factor) {
  const [first, last] = board.range;
  const middle = board.pointer ?? (first + last) / 2;
  look(middle - (middle - first) * factor, middle + (last - middle) * factor);
}

/** Points at a position in all panels; with a place on the screen, the tooltip appears there. */
function point(position, panel = null, place = null) {
  const [first, last] = board.range;
  const whole = board.axis === "updates" ? Math.round : Number;
  board.pointer = position === null ? null : whole(Math.min(last, Math.max(first, position)));
  for (const shown of openPanels()) shown.point(board.pointer);
  showTooltip(board.pointer, panel, place);
}

function listen(panel) {
  const { frame } = panel;
  const { svg } = frame;
  let start = null;
  const inside = (event) => Math.min(frame.x.to, Math.max(frame.x.from, frame.pixel(event)[0]));
  svg.addEventListener("pointerdown", (event) => {
    start = inside(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (start !== null) panel.select(start, inside(event));
    point(frame.x.back(inside(event)), panel, [event.clientX, event.clientY]);
  });
  svg.addEventListener("pointerup", (event) => {
    const [from, to] = [start, inside(event)];
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

const KEYS = {
  "+": () => zoom(0.5),
  "=": () => zoom(0.5),
  "-": () => zoom(2),
  Escape: lookAtAll,
  0: lookAtAll,
};

function press(event, panel) {
  const along = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const other = KEYS[event.key];
  if ((!along && !other) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const [first, last] = board.range;
  const shift = (along * (last - first)) / 5;
  if (other) other();
  else if (event.shiftKey) look(first + shift, last + shift);
  pointByKeys(panel, along && !event.shiftKey ? along : 0);
}

/** Moves the pointer by a hundredth of what is shown, and says what is there. */
function pointByKeys(panel, along) {
  const { frame } = panel;
  const [first, last] = board.range;
  const hundredth = (last - first) / 100;
  const stride = board.axis === "updates" ? Math.max(1, Math.round(hundredth)) : hundredth;
  const middle = (first + last) / 2;
  const from = board.pointer ?? (board.axis === "updates" ? Math.round(middle) : middle);
  const position = Math.min(last, Math.max(first, from + along * stride));
  const box = frame.svg.getBoundingClientRect();
  const left = box.left + (frame.x.at(position) * box.width) / frame.width;
  point(position, panel, [left, box.top + frame.margin.top]);
  byId("spoken").textContent = spokenValues(board.pointer, panel);
}
