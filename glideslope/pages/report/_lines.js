// The lines of a panel: of each run by itself, or of several seeds as their mean and a band.

/** The runs that are drawn, each by itself, or the shown ones of a set of seeds together. */
function drawnSets() {
  const isShown = (number) => board.shown[number];
  const sets = board.pooled ? seeds.filter(({ members }) => members.filter(isShown).length > 1) : [];
  const inSet = new Set(sets.flatMap(({ members }) => members));
  const alone = runs.flatMap((run, number) =>
    isShown(number) && !inSet.has(number)
      ? [{ number, members: [number], label: `${number + 1} ${run.name}` }]
      : [],
  );
  const together = sets.map(({ name, members }) => {
    const shown = members.filter(isShown);
    const label = `${members[0] + 1} ${name}, mean of ${shown.length} seeds`;
    return { number: members[0], members: shown, label, name };
  });
  return [...alone, ...together].sort((a, b) => a.number - b.number);
}

/** Everything that a panel draws, in the order in which it is drawn. */
function linesOf(spec) {
  return drawnSets().flatMap((set) => {
    const members = set.members.filter((number) => AXES[board.axis].has(runs[number]));
    if (!members.length) return [];
    const lines = members.length > 1 ? pooledLines(spec, members) : singleLines(spec, members[0]);
    return lines.map((line) => ({ ...set, ...line }));
  });
}

function singleLines(spec, number) {
  const lines = [];
  const add = (kind, name, curve) => curve && lines.push({ kind, name, curve });
  const forecast = drawn("forecasts", number, spec.key);
  if (forecast?.low) add("interval", "", forecast);
  for (const name of spec.names) {
    if (spec.setting) add("rate", name, drawn("curves", number, name));
    else addMetric(add, number, name);
    add("plan", name, drawn("plans", number, name));
  }
  add("validation", spec.validation ?? "", drawn("curves", number, spec.validation));
  if (forecast) add("forecast", "", { x: forecast.x, y: forecast.y });
  return lines;
}

/** The batches of a metric, and their mean; of a metric that is not smoothed, the batches alone. */
function addMetric(add, number, name) {
  const mean = drawn("smooth", number, name);
  if (!mean) return;
  const isMean = board.smoothing > 0 && mean.y.length > 1;
  if (board.batches && isMean) add("raw", name, drawn("curves", number, name));
  add("smooth", name, mean);
}

function pooledLines(spec, members) {
  const lines = [];
  const add = (kind, source, name) => {
    const curves = members.map((number) => drawn(source, number, name)).filter(Boolean);
    if (!curves.length) return;
    const curve = pooled(curves);
    if (curve.deviates && source !== "plans") lines.push({ kind: "band", name, curve });
    lines.push({ kind, name, curve: { x: curve.x, y: curve.y } });
  };
  for (const name of spec.names) {
    add(spec.setting ? "rate" : "smooth", spec.setting ? "curves" : "smooth", name);
    add("plan", "plans", name);
  }
  if (spec.validation) add("validation", "curves", spec.validation);
  return lines;
}

/** A curve of a run on the axis as it is now: of its `curves`, `plans`, `forecasts`,
    or `smooth` ones. */
function drawn(source, number, name) {
  const key = [source, number, name].join();
  if (!board.cache.has(key)) board.cache.set(key, made(source, runs[number], name));
  return board.cache.get(key);
}

function made(source, run, name) {
  const curve = run[source === "smooth" ? "curves" : source]?.[name];
  if (!curve) return null;
  const ready = source === "smooth" ? smoothed(curve, board.smoothing) : curve;
  return placed(run, ready, AXES[board.axis]);
}

/** Where on the axis an update of a run is. */
function place(number, step) {
  return AXES[board.axis].place(runs[number], step);
}

function visibleEvents(key) {
  const [first, last] = board.range;
  const inside = (number, { step }) =>
    place(number, step) >= first && place(number, step) <= last;
  return runs.flatMap((run, number) =>
    (board.shown[number] && AXES[board.axis].has(run) ? run.events : [])
      .filter((event) => (!key || event.curve === key) && inside(number, event))
      .map((event) => ({ event, number })),
  );
}

/** Whether the highest learning rate of one run would press that of another to the ground. */
function areFarApart() {
  const peaks = runs
    .map(({ curves }) => {
      const rates = Object.keys(curves).filter((name) => name === "lr" || name.startsWith("lr/"));
      return rates.flatMap((name) => curves[name].y).reduce((top, lr) => Math.max(top, lr), 0);
    })
    .filter((peak) => peak > 0);
  return Math.max(...peaks) > 20 * Math.min(...peaks);
}

function runClass(number) {
  return `run-${((board.colors[number] ?? number) % 16) + 1}`;
}
