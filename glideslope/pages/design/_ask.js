// Questions to the server, and what its answers change on the page.

const problem = byId("problem");

/**
 * Asks about a schedule, `{text}` or `{parts}`; of what is asked while waiting, only the last.
 *
 * `origin` is the element that was changed, `mark` says which changes are one (see Work.change),
 * `adopts` that the text on the page becomes the answer's, `restored` that every field is filled
 * in, and `focus` is the key of the control to focus afterwards.
 */
async function ask(schedule, about = {}) {
  const { parts } = schedule;
  if (parts) page.draft = parts;
  else if (page.asked) page.asked.dropped = true;
  page.pending = parts ? { parts, origin: about.origin } : null;
  page.waiting = { ...about, adopts: about.adopts || Boolean(parts), question: whole(schedule) };
  if (page.busy) return;
  page.busy = true;
  try {
    while (page.waiting) await askNext();
  } finally {
    page.busy = false;
  }
}

async function askNext() {
  const asked = page.waiting;
  Object.assign(page, { asked, waiting: null });
  const answer = await answerTo(asked.question);
  page.asked = null;
  if (!asked.dropped) receive(answer, asked);
}

/** A question: the schedule with the numbers of the run and the second schedule. */
function whole(schedule) {
  const { present } = work;
  const numbers = NUMBERS.map((name) => [
    name,
    present[name].trim() ? numberOf(present[name]) : null,
  ]);
  return { ...schedule, ...Object.fromEntries(numbers), compare: present.compare.trim() };
}

/** Numbers go as numbers; anything else as the text it is, for the server to accept or refuse. */
function numberOf(value) {
  const digits = value.trim().replace(/(?<=\d)_(?=\d)/g, "");
  const number = Number(digits);
  return digits === "" || !Number.isFinite(number) ? value.trim() : number;
}

async function answerTo(question) {
  const headers = { "Content-Type": "application/json", "X-Token": token };
  try {
    const body = JSON.stringify(question);
    const reply = await fetch("/answer", { method: "POST", headers, body });
    return reply.ok ? await reply.json() : { error: await reply.text() };
  } catch {
    return { error: "There is no answer: glideslope design was ended. Start it again." };
  }
}

function receive(answer, asked) {
  document.body.classList.toggle("stale", Boolean(answer.error));
  if (answer.error) return say(answer.error, controlAtFault(answer, asked));
  say("");
  page.answer = answer;
  page.length = answer.length ?? page.length;
  if (!page.waiting) Object.assign(page, { draft: answer.parts, pending: null });
  if (asked.adopts) adopt(answer.text, asked.mark);
  show(asked);
}

/** The control that holds what an answer refuses. */
function controlAtFault({ field }, { adopts, origin }) {
  return field ? byId(field) : adopts ? origin : byId("text");
}

/** The text of the answer becomes the document's. */
function adopt(text, mark) {
  byId("text").value = text;
  changeWork({ text }, mark);
}

/** Changes the document, and what depends on it. */
function changeWork(fields, mark) {
  work.change(fields, mark);
  keep();
  showHistory();
}

/** Asks again about the schedule on the page, because something else was changed. */
function askAgain() {
  const { parts, origin } = page.pending ?? {};
  return parts ? ask({ parts }, { origin }) : ask({ text: work.present.text });
}

/** Says what is wrong beside the control where it was done; nothing is wrong if it is empty. */
function say(sentence, origin = byId("text")) {
  for (const marked of document.querySelectorAll('[aria-invalid="true"]:not(#compare)'))
    marked.removeAttribute("aria-invalid");
  const at = sentence && origin.isConnected ? origin : byId("text");
  putBeside(at);
  fillProblem(problem, sentence);
  if (sentence && at.matches("input, textarea")) at.setAttribute("aria-invalid", "true");
}

/** Puts the message into the row of a control, or below the line it is in. */
function putBeside(control) {
  const row = control.closest("li");
  if (row) return row.insertBefore(problem, row.querySelector(":scope > ol"));
  (control.closest(".run-settings, .chart, header") ?? control).after(problem);
}

/** Writes a message; a text that it points into stays on one line, with the mark below it. */
function fillProblem(element, message) {
  const [sentence, ...pointing] = message.split(/(?<=\n)(?=  .*\n +\^$)/s);
  const place = pointing.map((lines) => make("span", { class: "place" }, lines));
  element.replaceChildren(sentence, ...place);
  element.hidden = !message;
  for (const span of place) showMark(span);
}

/** Scrolls a text sideways until the mark below it is in sight. */
function showMark(span) {
  const letters = span.textContent.split("\n")[1].length;
  const width = span.scrollWidth / Math.max(...span.textContent.split("\n").map((l) => l.length));
  span.scrollLeft = letters * width - span.clientWidth / 2;
}

/** The phases as they are now, to be changed and asked about. */
function parts() {
  return structuredClone(page.draft);
}
