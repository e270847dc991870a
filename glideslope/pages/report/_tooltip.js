// The tooltip: the values of all runs at one position, and the events there.

const NEAR = 7; // pixels within which the pointer meets an event
const MOST_ROWS = 14; // of runs that the tooltip lists

const NARROW = 640; // pixels of a window in which the tooltip is at the edge

function showTooltip(position, panel, place) {
  const tooltip = byId("tooltip");
  tooltip.hidden = position === null || !place;
  if (tooltip.hidden) return;
  tooltip.replaceChildren(...tooltipContent(position, panel));
  const [left, top] = tooltipPlace(tooltip.getBoundingClientRect(), place);
  tooltip.style.left = `${Math.max(4, left)}px`;
  tooltip.style.top = `${Math.max(4, top)}px`;
}

/** Beside the pointer; in a narrow window at the lower edge, or at the upper one. */
function tooltipPlace({ width, height }, [x, y]) {
  const [right, bottom] = [window.innerWidth - width - 4, window.innerHeight - height - 4];
  if (window.innerWidth < NARROW) return [4, y < bottom - 20 ? bottom : 4];
  return [x + 18 <= right ? x + 18 : x - 18 - width, Math.min(y + 14, bottom)];
}

/** The columns: loss, validation and learning rate, and the metric that is pointed at. */
function tooltipColumns(panel) {
  const specs = openPanels().map(({ spec }) => spec);
  const told = specs.filter(({ key }) => key === "loss" || key === "lr" || key === panel.spec.key);
  return told.flatMap((spec) => [
    ...(spec.names.length ? [{ title: spec.key === "lr" ? "learning rate" : spec.key, spec }] : []),
    ...(spec.validation ? [{ title: "validation", spec, kind: "validation" }] : []),
    ...(hasPlan(spec) ? [{ title: "planned", spec, kind: "plan" }] : []),
    ...(hasForecast(spec) ? [{ title: "recommended", spec, kind: "forecast" }] : []),
  ]);
}

function hasPlan(spec) {
  return runs.some((run, n) => board.shown[n] && spec.names.some((name) => run.plans[name]));
}

function hasForecast(spec) {
  return !board.pooled && runs.some((run, n) => board.shown[n] && run.forecasts?.[spec.key]);
}

function tooltipContent(position, panel) {
  const columns = tooltipColumns(panel);
  const head = ["", ...columns.map(({ title }) => title)].map((title) => make("th", {}, title));
  const rows = drawnSets().flatMap((set) => rowsOf(set, columns, position));
  const table = make("table", {}, make("tr", {}, ...head), ...rows.slice(0, MOST_ROWS));
  const more = rows.length - MOST_ROWS;
  const rest = more > 0 ? [make("div", {}, `and ${more} more`)] : [];
  const title = make("strong", {}, AXES[board.axis].at(position));
  return [title, table, ...rest, ...nearEvents(position).map(eventLine)];
}

function eventLine({ event, number }) {
  const line = ` ${marks[event.kind]} ${count(event.step)}: ${event.text}`;
  return make("div", { class: `event ${runClass(number)}` }, badge(number), line);
}

function nearEvents(position) {
  const near = (NEAR * (board.range[1] - board.range[0])) / openPanels()[0].frame.width;
  return visibleEvents(null).filter(
    ({ event, number }) => Math.abs(place(number, event.step) - position) <= near,
  );
}

/** A row for a run or a set of seeds, or of several parameter groups a row for each. */
function rowsOf(set, columns, position) {
  const parts = Math.max(1, ...columns.map(({ spec }) => partsOf(spec, set).length));
  return Array.from({ length: parts }, (_, part) => {
    const names = columns.map(({ spec }) => partsOf(spec, set)[part]);
    const group = parts > 1 ? names.find((name) => name?.includes("/")) : "";
    const told = [set.name, group && groupOf(group)].filter(Boolean).join(" ");
    const label = make("td", {}, badge(set.number), told && ` ${told}`);
    const cells = columns.map((column, k) =>
      make("td", {}, cellText(set, column, names[k], part, position)),
    );
    return make("tr", { class: runClass(set.number) }, label, ...cells);
  });
}

function groupOf(name) {
  return name.slice(name.indexOf("/") + 1);
}

/** The names of a panel that runs of a set have. */
function partsOf({ names }, { members }) {
  const has = (name) => members.some((n) => runs[n].curves[name] || runs[n].plans[name]);
  return names.filter(has);
}

function cellText({ members }, { spec, kind }, name, part, position) {
  if (kind === "validation")
    return part ? "" : setText(members, position, (n) => measured(n, spec.validation, position));
  if (kind === "forecast")
    return part ? "" : setText(members, position, (n) => valueAt(n, runs[n].forecasts[spec.key], position));
  if (!name) return "";
  const source = kind === "plan" ? "plans" : "curves";
  return setText(members, position, (n) => valueAt(n, runs[n][source][name], position));
}

/** One run's value as text, or of several the mean and the standard deviation. */
function setText(members, position, valueOf) {
  const values = members.filter((n) => AXES[board.axis].has(runs[n])).map(valueOf);
  if (values.length <= 1) return values[0]?.text ?? "";
  const numbers = values.filter(Boolean).map(({ value }) => value);
  if (!numbers.length) return "";
  const { mean, deviation } = moments(numbers);
  return deviation ? `${text(mean, 4)} ± ${text(deviation, 2)}` : text(mean);
}

/** The value of a run at a position, or the nearest one there is and the update of that. */
function valueAt(number, curve, position) {
  const step = Math.round(AXES[board.axis].step(runs[number], position));
  if (!curve || step < curve.x[0] || step > curve.x.at(-1)) return null;
  const k = nearest(curve.x, step);
  const value = curve.y[k];
  return { value, text: curve.x[k] === step ? text(value) : `${text(value)} at ${count(curve.x[k])}` };
}

/** The last measurement before a position. */
function measured(number, name, position) {
  const curve = runs[number].curves[name];
  const step = Math.round(AXES[board.axis].step(runs[number], position));
  const k = curve ? firstAtLeast(curve.x, step + 1) - 1 : -1;
  if (k < 0) return null;
  return { value: curve.y[k], text: `${text(curve.y[k])} after ${count(curve.x[k])}` };
}

function badge(number) {
  return make("span", { class: `number ${runClass(number)}` }, String(number + 1));
}

/** The tooltip as sentences. */
function spokenValues(position, panel) {
  const columns = tooltipColumns(panel);
  const said = drawnSets().flatMap((set) =>
    columns.map((column) => {
      const [name] = partsOf(column.spec, set);
      const value = cellText(set, column, name, 0, position);
      return value && `${column.title} ${value}`;
    }).filter(Boolean).map((told, k) => (k ? told : `run ${set.label}: ${told}`)),
  );
  const happened = nearEvents(position).map(({ event }) => `${count(event.step)}: ${event.text}`);
  return `${AXES[board.axis].at(position)}. ${[said.join(", "), ...happened].join(". ")}`;
}
