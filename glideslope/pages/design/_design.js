// The design page. What is known of the schedule is the server's last answer; what is changed here
// is sent there, as text or as phases, and drawn when it comes back.

const byId = (id) => document.getElementById(id);
const { question, answer: firstAnswer, catalogue, token } = JSON.parse(byId("data").textContent);
const UNITS = ["total_steps", "steps_per_epoch", "tokens_per_step"];
const COPIES = { text: "Text", shell: "Command line", python: "Python", json: "JSON" };
const NAMES = { constant: "hold" };
// `draft` is the phases with every change made so far: an answer may be on its way.
const page = {
  answer: firstAnswer,
  draft: null,
  waiting: null,
  busy: false,
  dragging: false,
  held: null,
};
const frame = new Frame(byId("curve"), "The schedule over the updates of the run", 340);
frame.svg.setAttribute("role", "group");
frame.svg.removeAttribute("tabindex");

// -- asking ---------------------------------------------------------------------------------------

/** Asks about a schedule, `{text}` or `{parts}`; of what is asked while waiting, only the last. */
async function ask(schedule) {
  page.draft = schedule.parts ?? page.draft;
  page.waiting = { ...schedule, ...units() };
  if (page.busy) return;
  page.busy = true;
  while (page.waiting) {
    const next = page.waiting;
    page.waiting = null;
    receive(await answerTo(next), "text" in next);
  }
  page.busy = false;
}

async function answerTo(next) {
  const headers = { "Content-Type": "application/json", "X-Token": token };
  try {
    const reply = await fetch("/answer", { method: "POST", headers, body: JSON.stringify(next) });
    return reply.ok ? await reply.json() : { error: await reply.text() };
  } catch {
    return { error: "There is no answer: glideslope design was ended. Start it again." };
  }
}

function receive(answer, typed) {
  byId("problem").hidden = !answer.error;
  byId("problem").textContent = answer.error ?? "";
  byId("text").setAttribute("aria-invalid", Boolean(answer.error));
  document.body.classList.toggle("stale", Boolean(answer.error));
  if (answer.error) return;
  page.answer = answer;
  if (!page.waiting) page.draft = answer.parts;
  byId("readout").textContent = "";
  if (!typed) byId("text").value = answer.text;
  show();
}

/** The numbers of the run; what is left empty is not known. */
function units() {
  const numberIn = ({ value }) => (value.trim() === "" ? null : Number(value));
  return Object.fromEntries(UNITS.map((name) => [name, numberIn(byId(name))]));
}

function askAgain() {
  return ask({ text: byId("text").value });
}

/** The phases as they are now, to be changed and asked about. */
function parts() {
  return structuredClone(page.draft);
}

// -- showing --------------------------------------------------------------------------------------

function show() {
  draw();
  showPhases();
  showKeyValues();
  showFindings();
  for (const name of Object.keys(COPIES)) byId(`copy-${name}`).textContent = page.answer[name];
  document.title = `${page.answer.text} · Glideslope`;
}

function showKeyValues() {
  const { answer } = page;
  const share = answer.area_fraction;
  const rows = {
    length: answer.length === null ? "endless" : `${count(answer.length)} updates`,
    start: known(answer.start),
    peak: `${known(answer.peak.value)} at update ${count(answer.peak.step)}`,
    last: `${known(answer.last)} at update ${count(answer.steps - 1)}`,
    end: answer.end === null ? "not reached" : `${known(answer.end)}, held ever after`,
    area:
      known(answer.area) +
      (share === null ? "" : `, ${(100 * share).toFixed(1)}% of the peak held throughout`),
  };
  const row = ([name, value]) => [make("dt", {}, name), make("dd", {}, value)];
  byId("key-values").replaceChildren(...Object.entries(rows).flatMap(row));
}

/** A value beside the peak, where what rounding leaves of a zero is a zero. */
function known(value) {
  if (value === null) return "too large for a number";
  return text(Math.abs(value) <= 1e-12 * Math.abs(page.answer.peak.value ?? 1) ? 0 : value);
}

function showFindings() {
  const items = page.answer.findings.map(({ code, message }) =>
    make("li", {}, make("strong", {}, code), ` ${message}`),
  );
  byId("findings").replaceChildren(
    ...(items.length ? items : [make("li", {}, "nothing to be said against it")]),
  );
}

// -- the curve ------------------------------------------------------------------------------------

function phaseClass(number) {
  return `run-${(number % 8) + 1}`;
}

function draw() {
  const { curve, stop } = page.answer;
  if (!page.dragging) page.scale = [[0, stop], limits([curve], [0, stop], false, true)];
  frame.begin(...page.scale);
  const { x, y, plot, svg } = frame;
  for (const [number, phase] of page.answer.parts.entries()) drawPhase(number, phase);
  const end = page.answer.length ?? stop;
  if (end < stop)
    plot.append(make("path", { class: "after", d: pathOf(between(end, stop), [end, stop], x, y) }));
  const runEnd = x.at(page.answer.steps);
  if (page.answer.steps < stop)
    plot.append(make("line", { class: "run-end", x1: runEnd, x2: runEnd, y1: y.to, y2: y.from }));
  page.line = make("line", { class: "pointer", y1: y.to, y2: y.from, visibility: "hidden" });
  plot.append(page.line);
  svg.append(...handles().map(handleElement));
  const held = page.held && svg.querySelector(`[data-handle="${page.held}"]`);
  if (held) held.focus();
}

/** The points of the curve from one step to another, right up to both. */
function between(first, last) {
  const { curve } = page.answer;
  const from = firstAtLeast(curve.x, first);
  const to = Math.max(from + 1, firstAtLeast(curve.x, last));
  const [x, y] = [curve.x.slice(from, to), curve.y.slice(from, to)];
  return { x: [first, ...x, last], y: [y[0], ...y, y.at(-1)] };
}

function drawPhase(number, phase) {
  const { x, y, plot } = frame;
  const stop = Math.min(page.answer.stop, phase.start + (phase.length ?? Infinity));
  if (phase.start >= stop) return;
  const line = pathOf(between(phase.start, stop), [phase.start, stop], x, y);
  const ground = y.at(Math.max(0, y.first));
  const [left, right] = [phase.start, stop].map((step) => x.at(step).toFixed(2));
  plot.append(
    make("path", {
      class: `area ${phaseClass(number)}`,
      d: `${line}L${right} ${ground}L${left} ${ground}Z`,
    }),
  );
  plot.append(make("path", { class: `line ${phaseClass(number)}`, d: line }));
}

function point(event) {
  const { values } = page.answer,
    k = nearest(values.x, frame.x.back(frame.pixel(event)[0]));
  const step = values.x[k],
    number = page.answer.parts.findLastIndex((phase) => phase.start <= step);
  for (const end of ["x1", "x2"]) page.line.setAttribute(end, frame.x.at(step));
  page.line.setAttribute("visibility", "visible");
  byId("readout").textContent = `update ${count(step)}: ${known(values.y[k])}, phase ${number + 1}`;
}

// -- the phases -----------------------------------------------------------------------------------

/** Rows are made anew only when there are others, so that a field keeps the focus while typed in. */
function showPhases() {
  const { parts: phases } = page.answer,
    list = byId("phases");
  const kinds = phases.map((phase) => phase.kind ?? "text").join();
  if (list.dataset.kinds !== kinds) list.replaceChildren(...phases.map(phaseRow));
  list.dataset.kinds = kinds;
  phases.forEach((phase, number) => fillRow(list.children[number], phase));
}

function phaseRow(phase, number) {
  const badge = make("span", { class: "number" }, String(number + 1));
  const fields = phase.kind
    ? [shapeField(phase, number), ...argumentFields(phase, number)]
    : [textField(number)];
  return make(
    "li",
    { class: phaseClass(number) },
    badge,
    make("span", { class: "from" }),
    ...fields,
    buttons(number),
  );
}

function shapeField(phase, number) {
  const select = make("select", { "aria-label": `shape of phase ${number + 1}` });
  for (const kind of Object.keys(catalogue))
    select.append(make("option", { value: kind }, NAMES[kind] ?? kind));
  select.addEventListener("change", () => change(number, (part) => reshape(part, select.value)));
  return select;
}

function argumentFields(phase, number) {
  return Object.entries(catalogue[phase.kind]).map(([name, type]) => {
    const flag = type === "flag";
    const kind = flag ? { type: "checkbox" } : { autocomplete: "off" };
    const input = make("input", { "data-name": name, ...kind });
    const read = () => (flag ? input.checked : numberOf(input.value));
    input.addEventListener("input", () =>
      change(number, (part) => {
        part.arguments[name] = read();
      }),
    );
    return make("label", {}, `${name} `, input);
  });
}

/** Numbers go as numbers; anything else as the text it is, for the server to accept or refuse. */
function numberOf(value) {
  const number = Number(value);
  return value.trim() === "" || Number.isNaN(number) ? value.trim() : number;
}

function textField(number) {
  const input = make("input", {
    class: "text",
    spellcheck: "false",
    "aria-label": `phase ${number + 1} as text`,
  });
  input.addEventListener("input", () =>
    change(number, (part) => {
      part.text = input.value;
    }),
  );
  return input;
}

function fillRow(row, phase) {
  const select = row.querySelector("select");
  if (select) select.value = phase.kind;
  const stop = phase.length === null ? "…" : count(phase.start + phase.length);
  row.querySelector(".from").textContent = `${count(phase.start)} to ${stop}`;
  for (const input of row.querySelectorAll("input")) {
    if (input === document.activeElement && input.type !== "checkbox") continue; // being typed
    const value = input.dataset.name ? phase.arguments[input.dataset.name] : phase.text;
    if (input.type === "checkbox") input.checked = value;
    else input.value = value;
  }
}

function buttons(number) {
  const button = (sign, name, act) => {
    const element = make(
      "button",
      { "aria-label": `${name} phase ${number + 1}`, title: name },
      sign,
    );
    element.addEventListener("click", () => {
      const list = parts();
      act(list);
      ask({ parts: list });
    });
    return element;
  };
  const move = (list, to) => {
    if (to >= 0 && to < list.length) list.splice(to, 0, ...list.splice(number, 1));
  };
  return make(
    "span",
    { class: "buttons" },
    button("↑", "earlier", (list) => move(list, number - 1)),
    button("↓", "later", (list) => move(list, number + 1)),
    button("✕", "remove", (list) => {
      if (list.length > 1) list.splice(number, 1);
    }),
  );
}

function change(number, edit) {
  const list = parts();
  edit(list[number]);
  ask({ parts: list });
}

/** Another shape with the same length and the same ends, and its own usual rest. */
function reshape(part, kind) {
  const ends = {
    start: part.first,
    end: part.last,
    value: part.first,
    steps: part.arguments.steps,
  };
  const kept = Object.keys(catalogue[kind]).filter((name) => name in ends);
  part.kind = kind;
  part.arguments = Object.fromEntries(kept.map((name) => [name, ends[name]]));
}

function addPhase() {
  const list = parts(),
    { last } = list.at(-1);
  const steps = Math.max(1, Math.round((page.answer.length ?? page.answer.stop) / 5));
  list.push({ kind: "linear", arguments: { steps, start: last ?? 1, end: last ? 0 : 1 } });
  ask({ parts: list });
}

// -- the page -------------------------------------------------------------------------------------

function copyBlock([name, title]) {
  const copy = make("button", {}, "Copy"),
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

byId("copies").append(...Object.entries(COPIES).map(copyBlock));
for (const name of UNITS) {
  byId(name).value = question[name] ?? "";
  byId(name).addEventListener("input", askAgain);
}
byId("text").value = question.text;
byId("text").addEventListener("input", askAgain);
byId("add").addEventListener("click", addPhase);
frame.svg.addEventListener("pointermove", (event) => {
  if (!page.dragging) point(event);
});
frame.svg.addEventListener("pointerleave", () => page.line.setAttribute("visibility", "hidden"));
receive(firstAnswer, true);
new ResizeObserver(() => draw()).observe(byId("curve"));
