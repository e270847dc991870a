// The state of the page, and the document: everything that the user can change, as texts by name.
// Undo and redo, a reload and the address work on whole documents.

const byId = (id) => document.getElementById(id);
const {
  question,
  answer: firstAnswer,
  catalogue,
  about,
  presets,
  token,
} = JSON.parse(byId("data").textContent);
const NUMBERS = ["total_steps", "steps_per_epoch", "tokens_per_step", "lr"];
const FIELDS = ["text", ...NUMBERS, "compare"];
const NAMES = [...FIELDS, "log"];
const PAUSE = 1000; // milliseconds after which typing in a field is another change

// `draft` is the tree of phases with every change made so far: an answer may be on its way.
// `pending` is the schedule that was asked about and not accepted yet, where it is not a text.
const page = {
  answer: firstAnswer,
  draft: null,
  pending: null,
  waiting: null,
  asked: null,
  busy: false,
  dragging: null,
  length: 1000,
};

/** Documents in the order in which they were made, to go back and forth in. */
class Work {
  constructor(present) {
    Object.assign(this, { past: [], present, future: [], mark: null });
  }
  /** Changes some fields; changes in a row with the same mark are undone as one. */
  change(fields, mark = null) {
    const next = { ...this.present, ...fields };
    if (areSame(next, this.present)) return;
    if (mark === null || mark !== this.mark) this.past.push(this.present);
    Object.assign(this, { present: next, future: [], mark });
    if (areSame(this.past.at(-1), next))
      Object.assign(this, { mark: null, present: this.past.pop() });
  }
  undo() {
    return this.move(this.past, this.future);
  }
  redo() {
    return this.move(this.future, this.past);
  }
  /** Makes the last of one list the present document; false if there is none. */
  move(from, to) {
    if (!from.length) return false;
    to.push(this.present);
    Object.assign(this, { present: from.pop(), mark: null });
    return true;
  }
}

function areSame(one, other) {
  return NAMES.every((name) => one[name] === other[name]);
}

/** A document from values of any kind; what is missing is empty. */
function documentOf(values) {
  return Object.fromEntries(NAMES.map((name) => [name, String(values[name] ?? "")]));
}

const start = documentOf(question);
const KEPT = `work ${location.search}`; // the name of this server's page in the tab's own storage
const WRITTEN = 250; // milliseconds from a change until the address holds it
const REMEMBERED = 200; // changes that can be undone after a reload
const work = new Work(documentInAddress() ?? start);
Object.assign(work, workInStorage());

/** The document in the address; null where there is none. */
function documentInAddress() {
  const given = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  return "text" in given ? documentOf(given) : null;
}

/** The work as it was before a reload: newer than the address; nothing where there was none. */
function workInStorage() {
  const [{ type }] = performance.getEntriesByType("navigation");
  return type === "navigate" ? {} : JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
}

/** The part of the address that holds a document; the command line's own needs none. */
function addressOf(doc) {
  if (areSame(doc, start)) return "";
  const given = NAMES.filter((name) => name === "text" || doc[name]);
  return `#${new URLSearchParams(given.map((name) => [name, doc[name]]))}`;
}

/** Keeps the work for a reload, at once, and for the address, which browsers let change seldom. */
function keep() {
  const { past, present, future } = work;
  const kept = { past: past.slice(-REMEMBERED), present, future };
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
  page.keeping ??= setTimeout(writeAddress, WRITTEN);
}

function writeAddress() {
  page.keeping = null;
  const address = addressOf(work.present);
  if (address !== location.hash)
    history.replaceState(null, "", location.pathname + location.search + address);
}

/** The mark of typing in a field: another one after a pause. */
function typingMark(field) {
  const now = Date.now();
  if (field !== page.typedIn || now - page.typedAt > PAUSE) page.typing = `${field} at ${now}`;
  Object.assign(page, { typedIn: field, typedAt: now });
  return page.typing;
}
