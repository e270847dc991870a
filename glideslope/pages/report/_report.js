// The report: what is shown and how, and the start of the page.

const byId = (id) => document.getElementById(id);
const SMOOTHINGS = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2]; // shares of the run

let runs, marks, seeds, specs;
const board = {
  axis: "updates",
  batches: true,
  smoothing: SMOOTHINGS[3],
  pooled: false,
  chosen: [],
  found: [],
  shown: [],
  colors: [],
  cache: new Map(),
  pointer: null,
  panels: new Map(),
  open: new Map(),
  sort: null,
  changed: new Date(),
};

/** Takes data, the first or later ones; a run keeps what was chosen for its name. */
function takeData(data) {
  const before = new Map((runs ?? []).map(({ name }, n) => [name, board.chosen[n]]));
  ({ runs, marks, seeds } = data);
  specs = data.panels;
  board.chosen = runs.map(({ name }) => before.get(name) ?? true);
  board.found = runs.map(() => true);
  board.cache.clear();
  for (const { key, open } of specs) if (!board.open.has(key)) board.open.set(key, open);
}

function openPanels() {
  return specs.filter(({ key }) => board.open.get(key)).map(({ key }) => board.panels.get(key));
}

function drawAll() {
  for (const panel of openPanels()) panel.draw();
  byId("reset").hidden = isWhole();
  tellOffAxis();
  point(null);
}

/** Says which runs have no place on the axis. */
function tellOffAxis() {
  const { has, title } = AXES[board.axis];
  const off = runs.filter((run, n) => board.shown[n] && !has(run)).map(({ name }) => name);
  byId("off-axis").hidden = !off.length;
  byId("off-axis").textContent = `No ${title} recorded, and not drawn: ${off.join(", ")}`;
}

// -- controls -------------------------------------------------------------------------------------

function fillAxes() {
  const usable = Object.entries(AXES).filter(([, axis]) => runs.some(axis.has));
  const options = usable.map(([value, { title }]) => make("option", { value }, title));
  byId("axis").replaceChildren(...options);
  byId("axis").value = board.axis;
}

/** Another axis, with the same part of it in view. */
function changeAxis(name) {
  const parts = () => {
    const [start, stop] = wholeRange();
    return board.range.map((at) => (at - start) / (stop - start));
  };
  const shares = parts();
  board.axis = name;
  board.cache.clear();
  const [start, stop] = wholeRange();
  board.range = shares.map((share) => start + share * (stop - start));
  drawAll();
}

function changeSmoothing(level) {
  board.smoothing = SMOOTHINGS[level];
  board.cache.clear();
  tellSmoothing();
  drawAll();
}

function tellSmoothing() {
  const told = board.smoothing ? `${percent(board.smoothing)} of the run` : "none";
  byId("smoothing-value").textContent = told;
  byId("smoothing").setAttribute("aria-valuetext", told);
}

function pool(on) {
  board.pooled = on;
  board.colors = runs.map((_, n) => n);
  if (on)
    for (const { members } of seeds) for (const n of members) board.colors[n] = members[0];
  colorRows();
  drawAll();
}

/** A box for each panel; those that are new are made, and all stand in their order. */
function fillPanels() {
  const boxes = specs.map(({ key, title }) => {
    const box = make("input", { type: "checkbox", "data-key": key });
    box.checked = board.open.get(key);
    box.addEventListener("change", () => openPanel(key, box.checked));
    return make("label", {}, box, ` ${title}`);
  });
  byId("panels").querySelector(".choices").replaceChildren(...boxes);
  byId("panels").hidden = specs.length < 2;
  for (const spec of specs) {
    const panel = board.panels.get(spec.key) ?? new Panel(spec, spec.id || `panel-${board.panels.size}`);
    panel.spec = spec;
    panel.section.hidden = !board.open.get(spec.key);
    board.panels.set(spec.key, panel);
    if (panel.section.parentElement !== byId("charts")) byId("charts").append(panel.section);
  }
}

function openPanel(key, isOpen) {
  board.open.set(key, isOpen);
  board.panels.get(key).section.hidden = !isOpen;
  drawAll();
}

// -- the page -------------------------------------------------------------------------------------

function startPage() {
  const empty = !specs.some(({ names, validation }) => names.length || validation);
  byId("view").hidden = byId("keys").hidden = empty;
  byId("nothing").hidden = !empty;
  byId("happened").hidden = !byId("events").tBodies[0].rows.length;
  byId("set").hidden = !byId("settings").tBodies[0].rows.length;
  byId("filter-label").hidden = byId("different-label").hidden = runs.length < 2;
  byId("seeds-label").hidden = !seeds.length;
  fillAxes();
  fillPanels();
  sortRows();
  filterRuns();
  pool(board.pooled && seeds.length > 0);
}

function listenToControls() {
  byId("axis").addEventListener("change", ({ target }) => changeAxis(target.value));
  byId("smoothing").addEventListener("input", ({ target }) => changeSmoothing(target.value));
  byId("batches").addEventListener("change", ({ target }) => {
    board.batches = target.checked;
    drawAll();
  });
  byId("seeds").addEventListener("change", ({ target }) => pool(target.checked));
  byId("reset").addEventListener("click", lookAtAll);
  new ResizeObserver(drawAll).observe(byId("charts"));
}

const content = JSON.parse(byId("data").textContent);
board.live = content.live;
takeData(content);
board.range = wholeRange();
tellSmoothing();
startPage();
listenToTables();
listenToControls();
if (board.live) ask();
