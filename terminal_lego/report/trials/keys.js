// The keyboard, and what happens when the page opens.

const help = byId("help");

const KEYS = {
  j: () => moveTrial(1),
  k: () => moveTrial(-1),
  n: () => moveTurn(1),
  p: () => moveTurn(-1),
  r: () => setMode(mode === "raw" ? "pretty" : "raw"),
  "/": () => (backToGridOnPhone(), filters.text.focus()),
  "?": () => help.showModal(),
  Escape: backToGrid,
};
const IN_GRID = {
  ArrowDown: () => moveCursor(1, 0),
  ArrowUp: () => moveCursor(-1, 0),
  ArrowRight: () => moveCursor(0, 1),
  ArrowLeft: () => moveCursor(0, -1),
};

function backToGridOnPhone() {
  if (getComputedStyle(byId("choose")).display === "none") backToGrid();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const keys = list.contains(event.target) ? { ...KEYS, ...IN_GRID } : KEYS;
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
});

byId("keys").addEventListener("click", () => help.showModal());
addEventListener("hashchange", followAddress);
refresh();
followAddress();
