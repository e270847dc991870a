// The page: key values, findings, undo, presets, copies, its fields, and its start.

const COPIES = {
  text: "Text",
  shell: "Options for training",
  page: "Command for this page",
  python: "Python",
  json: "JSON",
};

function show(asked = {}) {
  draw();
  showPhases(asked);
  showKeyValues();
  showFindings();
  showCompared();
  showPreset();
  byId("readout").textContent = "";
  for (const name of Object.keys(COPIES)) byId(`copy-${name}`).textContent = page.answer[name];
  document.title = `${page.answer.text} · Glideslope`;
}

function showKeyValues() {
  const first = keyValuesOf(page.answer);
  const second = page.answer.compare?.peak ? keyValuesOf(page.answer.compare) : null;
  byId("key-values").classList.toggle("both", Boolean(second));
  const row = ([name, value]) => [
    make("dt", {}, name),
    make("dd", {}, value),
    ...(second ? [make("dd", { class: "second" }, second[name])] : []),
  ];
  const heads = second
    ? [make("dt", {}, ""), make("dd", {}, "this"), make("dd", { class: "second" }, "compared")]
    : [];
  byId("key-values").replaceChildren(...heads, ...Object.entries(first).flatMap(row));
}

function keyValuesOf(seen) {
  const share = seen.area_fraction;
  return {
    length: seen.length === null ? "endless" : `${count(seen.length)} updates`,
    start: known(seen.start),
    peak: `${known(seen.peak.value)} at update ${count(seen.peak.step)}`,
    last: `${known(seen.last)} at update ${count(seen.steps - 1)}`,
    end: seen.end === null ? "not reached" : `${known(seen.end)}, held afterwards`,
    area:
      known(seen.area) +
      (share === null ? "" : `, ${(100 * share).toFixed(1)}% of the peak held throughout`),
  };
}

function showFindings() {
  const items = page.answer.findings.map(({ code, message }) =>
    make("li", {}, make("strong", {}, code), ` ${message}`),
  );
  const none = make("li", {}, "none");
  byId("findings").replaceChildren(...(items.length ? items : [none]));
}

/** Shows the error of the second schedule, or its entry in the legend. */
function showCompared() {
  const { compare } = page.answer;
  fillProblem(byId("compare-problem"), compare?.error ?? "");
  byId("compare").ariaInvalid = compare?.error ? "true" : null;
  byId("legend").hidden = !compare?.curve;
}

// -- history --------------------------------------------------------------------------------------

function showHistory() {
  byId("undo").ariaDisabled = String(!work.past.length && !page.pending);
  byId("redo").ariaDisabled = String(!work.future.length);
}

/** Takes back the last change: one that was refused, or else the last of the document. */
function undo() {
  const refused = page.pending && !page.busy;
  if (refused || work.undo()) restore();
}

function redo() {
  if (work.redo()) restore();
}

/** Shows the document as it is now. */
function restore() {
  fillFields();
  keep();
  ask({ text: work.present.text }, { restored: true });
  showHistory();
}

function fillFields() {
  for (const name of FIELDS) byId(name).value = work.present[name];
  byId("log").checked = work.present.log === "1";
}

/** Ctrl-Z takes back, Ctrl-Shift-Z and Ctrl-Y bring back, also where a field has its own ways. */
function shortcut(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "z" && !event.shiftKey) undo();
  else redo();
}

// -- presets --------------------------------------------------------------------------------------

/** The text of a preset for the run as long as it is. */
function presetText(name) {
  const steps = Number(work.present.total_steps) || page.length;
  return presets[name].replace(/\{(\d+)\}/g, (_, percent) =>
    Math.max(1, Math.round((steps * percent) / 100)),
  );
}

function usePreset() {
  const name = byId("preset").value;
  if (!name) return;
  page.preset = { name, text: null };
  ask({ text: presetText(name) }, { origin: byId("preset"), adopts: true, mark: "preset" });
}

/** The list names a preset as long as it is what the page shows. */
function showPreset() {
  if (!page.preset) return;
  page.preset.text ??= page.answer.text;
  if (page.preset.text === page.answer.text) return;
  page.preset = null;
  byId("preset").value = "";
}

// -- copies ---------------------------------------------------------------------------------------

function copyBlock([name, title]) {
  const copy = make("button", { "aria-label": `Copy ${title}` }, "Copy"),
    content = make("pre", { id: `copy-${name}`, tabindex: 0, "aria-label": title });
  copy.addEventListener("click", async () => {
    await putOnClipboard(content);
    copy.textContent = "Copied";
    setTimeout(() => {
      copy.textContent = "Copy";
    }, 1500);
  });
  return make("div", {}, make("h3", {}, title, copy), content);
}

async function putOnClipboard(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
  } catch {
    // not allowed to: as a reader would do it
    getSelection().selectAllChildren(element);
    document.execCommand("copy");
  }
}

// -- the page -------------------------------------------------------------------------------------

/** A field of the document: what is typed there is kept, and asked about. */
function listenTo(name) {
  byId(name).addEventListener("input", () => {
    const value = byId(name).value;
    if (name === "text") page.pending = null;
    changeWork({ [name]: value }, typingMark(name));
    askAgain();
  });
}

function setLogarithmic() {
  changeWork({ log: byId("log").checked ? "1" : "" });
  draw();
}

/** Compares what is changed from now on with the schedule as it is. */
function compareWithThis() {
  byId("compare").value = page.answer.text;
  changeWork({ compare: page.answer.text });
  askAgain();
}

function openAddress() {
  const given = documentInAddress();
  if (!given || areSame(given, work.present)) return;
  changeWork(given);
  restore();
}

function begin() {
  byId("copies").append(...Object.entries(COPIES).map(copyBlock));
  for (const name of Object.keys(presets))
    byId("preset").append(make("option", { value: name }, name));
  FIELDS.forEach(listenTo);
  const acts = { undo, redo, add: addPhase, "compare-this": compareWithThis };
  for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
  byId("preset").addEventListener("change", usePreset);
  byId("log").addEventListener("change", setLogarithmic);
  document.addEventListener("keydown", shortcut);
  addEventListener("hashchange", openAddress);
  fillFields();
  receive(firstAnswer, {});
  if (!areSame(work.present, start)) restore();
  showHistory();
  new ResizeObserver(draw).observe(byId("curve"));
}

begin();
