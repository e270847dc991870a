// The phases as a tree: a node is a shape or a text, or a group (a repetition, a product or a sum
// with a number) with nodes inside. A value v of a node is drawn at scale · v + shift.

const UNIT = /ep$|tok$|%$/i;

/** The nodes that are no groups, in order of time, each with its list and its place in it. */
function leavesOf(list, path = []) {
  return list.flatMap((node, index) => {
    const own = [...path, index];
    return node.parts ? leavesOf(node.parts, own) : [{ node, list, index, path: own.join(".") }];
  });
}

/** Every node with its path, groups before what is inside. */
function nodesOf(list, path = []) {
  return list.flatMap((node, index) => {
    const own = [...path, index];
    return [{ node, path: own.join(".") }, ...(node.parts ? nodesOf(node.parts, own) : [])];
  });
}

/** The list that a node is in, and its place there. */
function placeOf(tree, path) {
  const places = path.split(".").map(Number);
  const index = places.pop();
  return { list: places.reduce((list, place) => list[place].parts, tree), index };
}

function nodeAt(tree, path) {
  const { list, index } = placeOf(tree, path);
  return list[index];
}

/** True if one leaf begins where and with the value with which another ends. */
function areJoined({ node: before }, { node: after }) {
  if (before.last === null || before.start + before.length !== after.start) return false;
  const size = Math.max(Math.abs(before.last), Math.abs(after.first));
  return Math.abs(before.last - after.first) <= 1e-9 * size;
}

/** The node's own value for a drawn value. */
function ownValue({ scale, shift }, value) {
  return Number(((value - shift) / scale).toPrecision(12));
}

/** Moves the end of a leaf to a step: the next phase becomes shorter or longer, or moves along. */
function moveEnd(leaves, number, step, along) {
  const left = leaves[number];
  if (!left?.node.kind) return;
  const next = left.list[left.index + 1];
  const pays = Boolean(next?.kind && !next.parts && next.length !== null && !along);
  const last = pays ? next.start + next.length - 1 : Infinity;
  const old = left.node.start + left.node.length;
  const moved = Math.min(last, Math.max(left.node.start + 1, step)) - old;
  setLength(left.node, left.node.length + moved, pays);
  if (pays) setLength(next, next.length - moved, true);
  const following = pays ? [{ node: next }] : leaves.slice(number + 1);
  for (const { node } of following) node.start += moved;
}

/** Sets a length in updates, in the unit of the old one; `rest` is kept if `mayBeRest`. */
function setLength(node, length, mayBeRest) {
  const { steps } = node.arguments;
  const unit = String(steps).match(UNIT);
  const amount = (length * parseFloat(steps)) / node.length;
  const inUnit = unit && Number.isFinite(amount);
  node.length = length;
  if (steps === "rest" && mayBeRest) return;
  node.arguments.steps = inUnit ? `${Number(amount.toPrecision(4))}${unit[0]}` : length;
}

/** A drawn value at one side of a leaf; what is level stays level, and what was joined follows. */
function setValue(leaves, number, side, value) {
  const { node } = leaves[number];
  if (!node.kind || !node.scale) return;
  if (node.kind !== "constant") return setSide(node, side, value);
  const [before, after] = [leaves[number - 1], leaves[number + 1]];
  if (before && isSloped(before) && areJoined(before, leaves[number]))
    setSide(before.node, "end", value);
  if (after && isSloped(after) && areJoined(leaves[number], after))
    setSide(after.node, "start", value);
  node.arguments.value = ownValue(node, value);
  Object.assign(node, { first: value, last: value });
}

function isSloped({ node }) {
  return node.kind && node.kind !== "constant" && node.scale;
}

function setSide(node, side, value) {
  node.arguments[side] = ownValue(node, value);
  node[side === "start" ? "first" : "last"] = value;
}

/** Another shape with the same length and the same ends, and its own usual rest. */
function reshape(node, kind) {
  const [first, last] = [node.first, node.last].map((value) => ownValue(node, value));
  const ends = { start: first, end: last, value: first, steps: node.arguments.steps };
  const kept = Object.keys(catalogue[kind]).filter((name) => name in ends);
  node.kind = kind;
  node.arguments = Object.fromEntries(kept.map((name) => [name, ends[name]]));
}
