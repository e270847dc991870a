// A sentence for each fault of the page as it is shown now.
const parse = (text) => {
  const found = text.match(/^rgba?\(([^)]+)\)/);
  if (!found) throw new Error(`a color that is not read here: ${text}`);
  const [r, g, b, a = 1] = found[1].split(/[ ,/]+/).map(Number);
  return [r, g, b, a];
};
const over = (above, below) =>
  [0, 1, 2].map((i) => above[i] * above[3] + below[i] * (1 - above[3])).concat(1);

// https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio
const luminance = (color) => {
  const [r, g, b] = color.slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

const ancestors = function* (element) {
  for (; element; element = element.parentElement) yield element;
};
const ground = (element) => {
  const layers = [...ancestors(element)].map((e) => parse(getComputedStyle(e).backgroundColor));
  return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255, 1]);
};
const ink = (element) => {
  const style = getComputedStyle(element);
  const color = parse(element.closest("svg") ? style.fill : style.color);
  for (const e of ancestors(element)) color[3] *= Number(getComputedStyle(e).opacity);
  return color;
};
const isShown = (node) => {
  const range = document.createRange();
  range.selectNodeContents(node);
  const { width, height } = range.getBoundingClientRect();
  const visible = getComputedStyle(node.parentElement).visibility !== "hidden";
  return node.textContent.trim() && width && height && visible;
};

const found = new Set();
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = texts.nextNode(); node; node = texts.nextNode()) {
  const element = node.parentElement;
  if (element.closest("script, style, title, button.copy-code") || !isShown(node)) continue;
  const below = ground(element);
  const ratio = contrast(over(ink(element), below), below);
  const name = `${element.tagName}.${element.getAttribute("class") || ""}`;
  if (ratio < 4.5) found.add(`contrast ${ratio.toFixed(2)} of ${name} “${node.textContent.trim().slice(0, 20)}”`);
}

const MAY_SCROLL = "pre, .table-wrapper, div.math, .sidebar-scroll, .toc-scroll";
for (const element of document.querySelectorAll("*")) {
  const clips = element === document.documentElement || getComputedStyle(element).overflowX !== "visible";
  const inside = element.scrollWidth - element.clientWidth;
  if (clips && element.clientWidth && inside > 1 && !element.matches(MAY_SCROLL)) {
    found.add(`${element.tagName}.${element.className} is ${inside} pixels too narrow`);
  }
}

for (const image of document.images) {
  if (!image.alt) found.add(`${image.src} has no alternative text`);
  if (image.complete && !image.naturalWidth) found.add(`${image.src} is not shown`);
}
for (const picture of document.querySelectorAll("figure svg")) {
  if (!picture.getAttribute("aria-label")) found.add("a curve has no label");
}

const home = location.origin === "null" ? "file://" : location.origin;
for (const { name } of performance.getEntriesByType("resource")) {
  if (!name.startsWith(home) && !name.startsWith("data:")) found.add(`fetches ${name}`);
}
return [...found];
