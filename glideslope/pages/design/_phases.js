// A row for each phase, with a field for each argument; a group is a row with rows inside.

const LABELS = { constant: "hold", product: "times a number", sum: "plus a number" };

/** Makes new rows only if the phases are others, so that a field keeps the focus during typing. */
function showPhases({ restored = false, focus = null } = {}) {
  const tree = page.answer.parts,
    rows = byId("phases");
  const structure = JSON.stringify(tree, (name, value) =>
    ["arguments", "text"].includes(name) ? undefined : typeof value === "number" ? 0 : value,
  );
  const held = focus ?? document.activeElement?.dataset?.key;
  if (rows.dataset.structure !== structure) {
    const numbers = new Map(leavesOf(tree).map(({ path }, number) => [path, number]));
    rows.replaceChildren(...tree.map((node, index) => phaseRow(node, String(index), numbers)));
    rows.dataset.structure = structure;
  }
  for (const { node, path } of nodesOf(tree)) fillRow(node, path, restored);
  markEnds(tree);
  if (held && document.activeElement?.dataset?.key !== held) focusOn(held);
}

function phaseRow(node, path, numbers) {
  const number = numbers.get(path);
  const name = number === undefined ? "group" : `phase ${number + 1}`;
  const badge = number === undefined ? "" : make("span", { class: "number" }, String(number + 1));
  const from = make("span", { class: "from", "data-from": path });
  const fields = make("div", { class: "fields" }, badge, from, ...shapeFields(node, path, name));
  const kind = number === undefined ? "group" : phaseClass(number);
  const row = make("li", { class: kind }, fields, buttons(path, name));
  if (node.parts) {
    const inside = node.parts.map((part, index) => phaseRow(part, `${path}.${index}`, numbers));
    row.append(
      make("ol", { class: "phases", "aria-label": LABELS[node.kind] ?? node.kind }, ...inside),
    );
  }
  return row;
}

/** The fields of a row: its shape and arguments, or its text. */
function shapeFields(node, path, name) {
  if (!node.kind) return [textField(path, name)];
  const head = node.parts
    ? make("strong", {}, LABELS[node.kind] ?? node.kind)
    : shapeField(path, name);
  return [head, ...argumentFields(node.kind, path)];
}

function shapeField(path, name) {
  const select = make("select", { "aria-label": `shape of ${name}`, "data-key": `${path}:shape` });
  for (const kind of Object.keys(catalogue))
    if (about[kind].steps) select.append(make("option", { value: kind }, LABELS[kind] ?? kind));
  select.addEventListener("change", () =>
    change(path, (node) => reshape(node, select.value), { origin: select }),
  );
  return select;
}

function argumentFields(kind, path) {
  return Object.entries(catalogue[kind]).map(([name, type]) => {
    const flag = type === "flag",
      key = `${path}:${name}`,
      meaning = about[kind][name] ?? "";
    const input = make("input", {
      "data-name": name,
      "data-key": key,
      "aria-description": meaning,
      ...(flag ? { type: "checkbox" } : { autocomplete: "off" }),
    });
    const read = () => (flag ? input.checked : numberOf(input.value));
    const edit = (node) => {
      node.arguments[name] = read();
    };
    input.addEventListener("input", () =>
      change(path, edit, { origin: input, mark: flag ? null : typingMark(key) }),
    );
    return make("label", { title: meaning }, make("span", {}, name), " ", input);
  });
}

function textField(path, name) {
  const key = `${path}:text`;
  const input = make("textarea", {
    class: "text",
    rows: 1,
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": `${name} as text`,
    "data-key": key,
  });
  const edit = (node) => {
    node.text = input.value;
  };
  input.addEventListener("input", () =>
    change(path, edit, { origin: input, mark: typingMark(key) }),
  );
  return input;
}

/** Writes the values of a node into its row; a field that is being typed in is left alone. */
function fillRow(node, path, restored) {
  const control = (name) => document.querySelector(`[data-key="${path}:${name}"]`);
  const stop = node.length === null ? "…" : count(node.start + node.length);
  document.querySelector(`[data-from="${path}"]`).textContent = `${count(node.start)} to ${stop}`;
  const values = node.kind ? node.arguments : { text: node.text };
  for (const [name, value] of Object.entries(values)) fill(control(name), value, restored);
  const shape = control("shape");
  if (shape) shape.value = node.kind;
}

function fill(input, value, restored) {
  if (input.type === "checkbox") input.checked = value;
  else if (restored || input !== document.activeElement) input.value = value ?? "";
}

// -- buttons --------------------------------------------------------------------------------------

function buttons(path, name) {
  const earlier = (list, index) => moveIn(list, index, index - 1);
  const later = (list, index) => moveIn(list, index, index + 1);
  return make(
    "span",
    { class: "buttons" },
    button(path, "↑", "earlier", `earlier ${name}`, earlier),
    button(path, "↓", "later", `later ${name}`, later),
    button(path, "✕", "remove", `remove ${name}`, removeFrom),
  );
}

/** A button that changes the list its row is in; `act` returns the place to focus. */
function button(path, sign, title, name, act) {
  const key = `${path}:${title}`;
  const element = make("button", { "aria-label": name, title, "data-key": key }, sign);
  element.addEventListener("click", () => {
    const tree = parts(),
      { list, index } = placeOf(tree, path);
    if (element.ariaDisabled === "true") return say(reasonAgainst(title, list), element);
    const place = act(list, index);
    const focus = [...path.split(".").slice(0, -1), place].join(".");
    ask({ parts: tree }, { origin: element, focus: `${focus}:${title}` });
  });
  return element;
}

function moveIn(list, from, to) {
  list.splice(to, 0, ...list.splice(from, 1));
  return to;
}

function removeFrom(list, index) {
  list.splice(index, 1);
  return Math.min(index, list.length - 1);
}

function reasonAgainst(title, list) {
  if (title === "remove") return "The only phase cannot be removed.";
  if (list.length === 1) return "There is no other phase to change places with.";
  return title === "earlier"
    ? "This is the first phase already."
    : "This is the last phase already.";
}

/** Marks the buttons that have nothing to do: they can be reached, and say why. */
function markEnds(tree) {
  for (const { path } of nodesOf(tree)) {
    const { list, index } = placeOf(tree, path);
    const without = {
      earlier: index === 0,
      later: index === list.length - 1,
      remove: list.length === 1,
    };
    for (const [title, none] of Object.entries(without))
      document.querySelector(`[data-key="${path}:${title}"]`).ariaDisabled = String(none);
  }
}

/** Focuses a control by its key, or the nearest row's if there is no such row. */
function focusOn(key) {
  const control = document.querySelector(`[data-key="${key}"]`);
  const other = document.querySelector(`[data-key="${key.split(":")[0]}:remove"]`);
  (control ?? other ?? byId("add")).focus();
}

// -- changes --------------------------------------------------------------------------------------

function change(path, edit, about) {
  const tree = parts();
  edit(nodeAt(tree, path));
  ask({ parts: tree }, about);
}

function addPhase() {
  const tree = parts(),
    { last } = tree.at(-1),
    { scale, shift } = tree.at(-1);
  const steps = Math.max(1, Math.round((page.answer.length ?? page.answer.stop) / 5));
  const first = last === null ? 1 : ownValue({ scale, shift }, last);
  tree.push({ kind: "linear", arguments: { steps, start: first, end: first ? 0 : 1 } });
  ask({ parts: tree }, { origin: byId("add") });
}
