"use strict";
// Copy buttons that leave prompts and output out, and the choice of a version where there are several.

function codeOf(block) {
  const lines = block.textContent.replace(/\n+$/, "").split("\n");
  const prompt = /^(>>>|\.\.\.|\$)( |$)/;
  if (!lines.some((line) => /^(>>>|\$) /.test(line))) return lines.join("\n");
  return lines.filter((line) => prompt.test(line)).map((line) => line.replace(prompt, "")).join("\n");
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // a page that was not opened over https
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function addCopyButton(block) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy-code";
  button.textContent = "Copy";
  button.title = "without prompts and output";
  button.addEventListener("click", async () => {
    await copy(codeOf(block));
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
    block.parentElement.querySelector("button").focus();
  });
  block.parentElement.append(button);
}

// The folder above the site may have versions.json: [{"name": "0.2", "path": "0.2/"}, ...].
async function addVersions(place) {
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  let versions = [];
  try {
    versions = await (await fetch(new URL("../versions.json", root))).json();
  } catch {
    return;
  }
  const select = place.querySelector("select");
  for (const version of versions) {
    const address = new URL(version.path, new URL("../", root)).href;
    const here = address === root.href;
    select.add(new Option(version.name, address, here, here));
  }
  select.addEventListener("change", () => { location.href = select.value; });
  place.hidden = versions.length < 2;
}

// A page that was opened as a file may not read others, so a search has no excerpts of them.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("div.highlight pre").forEach((block) => {
    addCopyButton(block);
    if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;  // arrow keys scroll it
  });
  const place = document.getElementById("versions");
  if (place && location.protocol !== "file:") addVersions(place);
});
