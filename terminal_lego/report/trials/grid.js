// The grid: a row per task (and model), a square per attempt; filters, and a cursor that the keyboard moves.

const entries = JSON.parse(byId("index").textContent);
const LABELS = JSON.parse(byId("labels").textContent);
const NO_ERROR = "\u0000";
const collator = new Intl.Collator("en", { numeric: true });
const filters = Object.fromEntries(["text", "outcome", "error", "model"].map((name) => [name, byId(`filter-${name}`)]));
const models = [...new Set(entries.map((entry) => entry.model))].sort(collator.compare);
const haystacks = entries.map((entry) => `${entry.task}\n${entry.trial}\n${entry.model}`.toLowerCase());
let shown = new Set();
let current = -1;

function fill(select, values, label) {
  for (const value of values) select.append(new Option(label(value), value));
}

const errors = new Map();
for (const entry of entries) if (entry.error) errors.set(entry.error, (errors.get(entry.error) ?? 0) + 1);
fill(filters.error, [...errors.keys()].sort((a, b) => errors.get(b) - errors.get(a) || collator.compare(a, b)),
  (name) => `${name} (${whole(errors.get(name))})`);
if (errors.size) filters.error.append(new Option("none", NO_ERROR));
fill(filters.model, models, (model) => model || "not named");
byId("models").hidden = models.length < 2;

const groups = new Map();
entries.forEach((entry, index) => {
  const key = `${entry.task}\n${entry.model}`;
  groups.set(key, [...(groups.get(key) ?? []), index]);
});
const attempts = []; // of each entry: its number within its row
for (const indices of groups.values()) indices.forEach((index, place) => (attempts[index] = place + 1));
const cells = entries.map(makeCell);
const rows = [...groups.values()].sort(([a], [b]) => collator.compare(entries[a].task, entries[b].task)
  || collator.compare(entries[a].model, entries[b].model)).map(makeRow);

function makeCell(entry, index) {
  const node = button("", `cell ${entry.outcome}`, () => show(index));
  node.tabIndex = -1;
  node.dataset.index = index;
  node.title = [LABELS[entry.outcome], entry.error].filter(Boolean).join(", ");
  node.setAttribute("aria-label", spoken(entry, index));
  return node;
}

function spoken(entry, index) {
  return [
    entry.task, models.length > 1 ? entry.model : "", `attempt ${attempts[index]}`, LABELS[entry.outcome], entry.error,
    entry.turns === null ? "" : plural(entry.turns, "turn"),
  ].filter(Boolean).join(", ");
}

function makeRow(indices) {
  const { task, model } = entries[indices[0]];
  const name = element("div", "name", element("span", "task", task), models.length > 1 ? element("small", "", model) : "");
  name.title = task;
  const node = element("li", "", name, element("div", "cells", indices.map((index) => cells[index])));
  return { node, indices };
}

function matches(index) {
  const entry = entries[index];
  return (
    (!filters.outcome.value || entry.outcome === filters.outcome.value) &&
    (!filters.error.value || (entry.error ?? NO_ERROR) === filters.error.value) &&
    (!filters.model.value || entry.model === filters.model.value) &&
    haystacks[index].includes(filters.text.value.toLowerCase())
  );
}

/** Rows with a match stay; in them, squares that do not match fade and are passed over. */
function refresh() {
  shown = new Set([...entries.keys()].filter(matches));
  const left = rows.filter(({ indices }) => indices.some((index) => shown.has(index)));
  cells.forEach((cell, index) => (cell.disabled = !shown.has(index)));
  list.replaceChildren(...left.map(({ node }) => node));
  if (!left.length) list.append(element("li", "empty", "No trial matches these filters."));
  byId("count").textContent = `${whole(shown.size)} of ${plural(entries.length, "trial")}, ${plural(left.length, "task")}`;
  setCursor(shown.has(current) ? current : order()[0]);
}

/** The trials that match, as the grid has them. */
const order = () => rows.flatMap(({ indices }) => indices.filter((index) => shown.has(index)));

/** One square is in the order of tabs; arrows move among the others. */
function setCursor(index) {
  for (const node of list.querySelectorAll('[tabindex="0"]')) node.tabIndex = -1;
  if (index !== undefined) cells[index].tabIndex = 0;
}

function moveCursor(down, right) {
  const from = list.contains(document.activeElement) ? Number(document.activeElement.dataset.index) : current;
  const left = rows.map(({ indices }) => indices.filter((index) => shown.has(index))).filter((indices) => indices.length);
  const row = left.findIndex((indices) => indices.includes(from));
  const to = left[Math.max(0, Math.min(left.length - 1, row + down))];
  if (!to) return;
  const column = row < 0 ? 0 : left[row].indexOf(from) + right;
  const target = to[Math.max(0, Math.min(to.length - 1, column))];
  setCursor(target);
  cells[target].focus();
}

for (const filter of Object.values(filters)) filter.addEventListener("input", refresh);
