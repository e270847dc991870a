// A page that is served asks for later data, and shows it without losing what the reader has chosen.

const EVERY = 2000; // milliseconds between two questions

async function ask() {
  const headers = { "X-Token": board.live.token };
  try {
    const reply = await fetch(`/data?version=${board.live.version}`, { headers });
    if (reply.status === 200) receive(await reply.json());
    tellLive(reply.ok ? `live, last changed ${timeOfDay()}` : `not live: ${await reply.text()}`);
  } catch {
    tellLive("no longer live: glideslope report was ended");
  }
  setTimeout(ask, EVERY);
}

function timeOfDay() {
  return board.changed.toLocaleTimeString("en-GB");
}

function tellLive(sentence) {
  const place = byId("live");
  place.hidden = false;
  if (place.textContent !== sentence) place.textContent = sentence;
}

function receive({ version, title, tables, data }) {
  board.live.version = version;
  board.changed = new Date();
  const whole = isWhole();
  replaceTables(tables);
  takeData(data);
  document.querySelector("h1").textContent = title;
  document.title = `${title} · Glideslope`;
  if (whole) board.range = wholeRange();
  startPage();
}

/** The tables come as the HTML that the page began with. A button that had the focus keeps it. */
function replaceTables(tables) {
  const held = document.activeElement?.closest?.("#runs button, #events button");
  const selector = held && selectorOf(held);
  byId("runs").innerHTML = tables.runs;
  byId("events").tBodies[0].innerHTML = tables.events;
  byId("settings").innerHTML = tables.settings;
  markSorted();
  if (selector) document.querySelector(selector)?.focus();
}

function selectorOf(button) {
  const { run, step } = button.dataset;
  if (step) return `#events button[data-run="${run}"][data-step="${step}"]`;
  if (run) return `#runs button[data-run="${run}"]`;
  return `#runs thead th:nth-child(${button.parentElement.cellIndex + 1}) button`;
}

function markSorted() {
  if (!board.sort) return;
  const head = byId("runs").tHead.rows[0].children[board.sort.column];
  head?.setAttribute("aria-sort", board.sort.down ? "descending" : "ascending");
}
