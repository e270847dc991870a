// The tables: runs sorted and filtered, events that show their place, settings that differ.

/** Sorts the table of runs by a column; the same column again, the other way round. */
function sortBy(head) {
  const heads = [...head.parentElement.children];
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of heads) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  board.sort = { column: heads.indexOf(head), down };
  sortRows();
}

function sortRows() {
  if (!board.sort) return;
  const { column, down } = board.sort;
  const body = byId("runs").tBodies[0];
  const value = (row) => row.children[column].dataset.value;
  const order = (a, b) => compared(value(a), value(b), down);
  body.append(...[...body.rows].sort(order));
}

/** Numbers by size, texts by their letters; what is empty comes last either way. */
function compared(a, b, down) {
  if (a === "" || b === "") return Number(a === "") - Number(b === "");
  const numbers = [Number(a), Number(b)];
  const isText = numbers.some(Number.isNaN);
  const order = isText ? a.localeCompare(b, "en", { numeric: true }) : numbers[0] - numbers[1];
  return down ? -order : order;
}

/** Shows the runs whose row has a text, and hides the others. */
function filterRuns() {
  const wanted = byId("filter").value.trim().toLowerCase();
  for (const row of byId("runs").tBodies[0].rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    board.found[row.dataset.run] = !row.hidden;
  }
  showRuns();
}

function toggleRun(number) {
  board.chosen[number] = !board.chosen[number];
  showRuns();
}

/** Draws the runs that are chosen and found; their buttons and events say so as well. */
function showRuns() {
  board.shown = runs.map((_, n) => board.chosen[n] && board.found[n]);
  for (const button of document.querySelectorAll("button.run"))
    button.setAttribute("aria-pressed", board.chosen[button.dataset.run]);
  for (const row of document.querySelectorAll("#events tbody tr, #forecast tbody tr"))
    row.hidden = !board.shown[row.dataset.run];
  drawAll();
}

/** The colours of the tables follow those of the curves. */
function colorRows() {
  const cells = document.querySelectorAll("#runs tr[data-run], #events tr[data-run], #forecast tr[data-run]");
  for (const row of cells) row.className = runClass(Number(row.dataset.run));
}

function goToEvent({ dataset }) {
  const axis = AXES[board.axis];
  const run = runs[dataset.run];
  if (!axis.has(run)) return;
  const [start, stop] = wholeRange();
  const reach = (stop - start) / 20;
  const at = axis.place(run, Number(dataset.step));
  look(at - reach, at + reach);
  const panel = openPanels()[0];
  panel?.section.scrollIntoView({ block: "center" });
}

function listenToTables() {
  byId("runs").addEventListener("click", ({ target }) => {
    const [button, head] = [target.closest("button.run"), target.closest("thead th[aria-sort]")];
    if (button) toggleRun(button.dataset.run);
    else if (head) sortBy(head);
  });
  byId("filter").addEventListener("input", filterRuns);
  byId("events").addEventListener("click", ({ target }) => {
    if (target.dataset.step) goToEvent(target);
  });
  byId("only-different").addEventListener("change", ({ target }) => {
    byId("settings").classList.toggle("only-different", target.checked);
  });
}
