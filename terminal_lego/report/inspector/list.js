// The list: filters, order, and a cursor that the keyboard moves.

const entries = JSON.parse(byId("index").textContent);
const columns = [...document.querySelectorAll(".columns button")];
const filters = Object.fromEntries(
  ["text", "model", "outcome", "selection", "replies"].map((name) => [name, byId(`filter-${name}`)]),
);
const wellFormed = {
  errors: (entry) => entry.errors > 0,
  warnings: (entry) => entry.warnings > 0,
  clean: (entry) => !entry.errors && !entry.warnings,
};
const collator = new Intl.Collator("en", { numeric: true });
const order = { key: null, falling: true };
let shown = [];
let current = -1;

for (const model of [...new Set(entries.map((entry) => entry.model))].sort(collator.compare))
  filters.model.append(new Option(model || "not named", model));

const haystacks = entries.map((entry) => `${entry.id}\n${entry.task}\n${entry.model}`.toLowerCase());
const rows = entries.map(makeRow);

function makeRow(entry, index) {
  const marks = [
    entry.dropped === null ? "" : element("span", "warn", "dropped"),
    entry.errors ? element("span", "bad", plural(entry.errors, "parse error")) : "",
    entry.warnings ? element("span", "warn", plural(entry.warnings, "warning")) : "",
  ];
  const node = button([
    element("span", "task", entry.task),
    element("span", `n ${entry.outcome}`, rounded(entry.reward)),
    element("span", "n", share(entry.tor)),
    element("span", "n", whole(entry.turns)),
    element("span", "n", whole(entry.tokens)),
    element("span", "under", element("span", "", entry.model), marks),
  ], "row", () => show(index));
  node.dataset.index = index;
  node.title = entry.id;
  node.tabIndex = -1;
  node.setAttribute("aria-label", spoken(entry));
  return element("li", "", node);
}

function spoken(entry) {
  return [
    entry.task, entry.model, entry.outcome === "none" ? "no reward" : `${entry.outcome}, reward ${rounded(entry.reward)}`,
    `TOR ${share(entry.tor)}`, plural(entry.turns, "turn"), entry.tokens === null ? "" : plural(entry.tokens, "token"),
    entry.dropped === null ? "" : `dropped: ${entry.dropped}`,
    entry.errors ? plural(entry.errors, "parse error") : "", entry.warnings ? plural(entry.warnings, "warning") : "",
  ].filter(Boolean).join(", ");
}

function matches(index) {
  const entry = entries[index];
  return (
    (!filters.model.value || entry.model === filters.model.value) &&
    (!filters.outcome.value || entry.outcome === filters.outcome.value) &&
    (!filters.selection.value || (entry.dropped === null) === (filters.selection.value === "kept")) &&
    (!filters.replies.value || wellFormed[filters.replies.value](entry)) &&
    haystacks[index].includes(filters.text.value.toLowerCase())
  );
}

/** What is not a number comes last, whichever way the order runs. */
function compare(a, b) {
  const sign = order.falling ? -1 : 1;
  if (order.key === "id") return sign * collator.compare(entries[a].id, entries[b].id);
  const [left, right] = [entries[a][order.key], entries[b][order.key]];
  const missing = (typeof left !== "number") - (typeof right !== "number");
  return missing || (typeof left === "number" ? sign * (left - right) : 0);
}

function refresh() {
  shown = [...entries.keys()].filter(matches);
  if (order.key) shown.sort(compare);
  list.replaceChildren(...shown.map((index) => rows[index]));
  if (!shown.length)
    list.append(element("li", "empty", entries.length ? "No trajectory matches these filters." : "There is no trajectory."));
  byId("count").textContent = `${whole(shown.length)} of ${plural(entries.length, "trajectory").replace(/ys$/, "ies")}`;
  setCursor(shown.includes(current) ? current : shown[0]);
}

function sortBy(key) {
  order.falling = order.key === key ? !order.falling : key !== "id";
  order.key = key;
  for (const column of columns) {
    const active = column.dataset.key === key;
    column.dataset.order = active ? (order.falling ? "falling" : "rising") : "";
    column.setAttribute("aria-pressed", String(active));
  }
  refresh();
  list.scrollTop = 0;
}

/** One row of the list is in the order of tabs; arrows move among the others. */
function setCursor(index) {
  for (const node of list.querySelectorAll('[tabindex="0"]')) node.tabIndex = -1;
  if (index !== undefined) rows[index].firstElementChild.tabIndex = 0;
}

function moveCursor(step) {
  const from = list.contains(document.activeElement) ? Number(document.activeElement.dataset.index) : current;
  const target = shown[Math.max(0, Math.min(shown.length - 1, shown.indexOf(from) + step))];
  if (target === undefined) return;
  setCursor(target);
  rows[target].firstElementChild.focus();
}

for (const column of columns) column.addEventListener("click", () => sortBy(column.dataset.key));
for (const filter of Object.values(filters)) filter.addEventListener("input", refresh);
