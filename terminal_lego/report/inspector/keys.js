// The keyboard, and what happens when the page opens.

const help = byId("help");

const KEYS = {
  j: () => moveCursor(1),
  k: () => moveCursor(-1),
  n: () => moveTurn(1),
  p: () => moveTurn(-1),
  r: () => setMode(settings.mode === "raw" ? "pretty" : "raw"),
  t: toggleTokens,
  "/": () => (backToListOnPhone(), filters.text.focus()),
  "?": () => help.showModal(),
  Escape: backToList,
};

function backToListOnPhone() {
  if (getComputedStyle(byId("choose")).display === "none") backToList();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const inList = list.contains(event.target);
  const key = inList ? { ArrowDown: "j", ArrowUp: "k" }[event.key] ?? event.key : event.key;
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
});

byId("keys").addEventListener("click", () => help.showModal());
addEventListener("hashchange", followAddress);
refresh();
followAddress();
