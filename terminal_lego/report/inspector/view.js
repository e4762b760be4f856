// What stands on the right: unpacking, the head of a trajectory, its switches.

const packed = document.querySelectorAll("script.body");
const settings = { mode: "raw", tokens: false };
const UNPACKED_BY = "Chrome 80, Edge 80, Firefox 113 and Safari 16.4 and later have it";
let opened = null;

async function unpack(index) {
  if (typeof DecompressionStream === "undefined")
    throw new Error(`This browser cannot unpack the trajectories: it has no DecompressionStream (${UNPACKED_BY}).`);
  const bytes = Uint8Array.from(atob(packed[index].textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const body = JSON.parse(await new Response(stream).text());
  for (const event of body.events) event.supports = [];
  body.events.forEach((event, action) => event.support !== null && body.events[event.support].supports.push(action));
  return body;
}

const address = (index) => `#trajectory-${index + 1}`;

/** Opening goes through the address, so that the browser's own back button leads to the list. */
function show(index) {
  if (location.hash === address(index)) followAddress();
  else location.hash = address(index);
}

function followAddress() {
  const index = Number((location.hash.match(/^#trajectory-(\d+)$/) || [])[1]) - 1;
  document.body.classList.toggle("reading", index in entries);
  if (index in entries) read(index);
  else if (current >= 0) leave();
}

async function read(index) {
  current = index;
  for (const node of list.querySelectorAll('[aria-current="true"]')) node.removeAttribute("aria-current");
  const row = rows[index].firstElementChild;
  row.setAttribute("aria-current", "true");
  setCursor(shown.includes(index) ? index : shown[0]);
  row.scrollIntoView({ block: "nearest" });
  try {
    const body = await unpack(index);
    if (current !== index) return;
    opened = body;
    detail.replaceChildren(back(), head(entries[index], body), bar(body));
    renderTurns();
  } catch (error) {
    if (current !== index) return;
    opened = linked = null;
    detail.replaceChildren(back(), element("p", "notice", error instanceof TypeError || error instanceof DOMException
      ? `This trajectory cannot be unpacked: ${error.message}.` : error.message));
  }
  detail.scrollTop = 0;
  detail.focus({ preventScroll: true });
}

function leave() {
  document.body.classList.remove("reading");
  if (current >= 0) rows[current].firstElementChild.focus();
}

function backToList() {
  if (document.body.classList.contains("reading")) history.replaceState(null, "", location.pathname + location.search);
  leave();
}

const back = () => button("\u2190 List", "quiet back", backToList);

function head(entry, body) {
  const outcome = { passed: "passed", failed: "failed", none: "no reward" }[entry.outcome];
  const trained = body.masked ? body.turns.reduce((sum, turn) => sum + turn.trained, 0) : null;
  const figures = [
    ["reward", rounded(entry.reward)],
    ["TOR", share(entry.tor), body.actions ? `${body.supported} of ${plural(body.actions, "action")}` : "no action"],
    ["turns", whole(entry.turns)],
    ["tokens", whole(entry.tokens)],
    ["trained", whole(trained), body.masked ? "" : "no tokenizer"],
  ];
  return element("header", "head",
    element("h2", "", entry.task),
    element("p", "meta", element("span", entry.outcome, outcome), element("span", "", entry.model),
      element("span", entry.dropped === null ? "" : "warn", entry.dropped === null ? "kept" : `dropped: ${entry.dropped}`)),
    element("dl", "figures", figures.map(([name, value, note]) =>
      element("div", "", element("dt", "", name), element("dd", "", value, note ? element("small", "", note) : "")))),
    element("details", "", element("summary", "", "Where it comes from"),
      element("dl", "facts", body.facts.map(([name, value]) => element("div", "", element("dt", "", name), element("dd", "", value))))));
}

function bar(body) {
  const toggle = (id, label, pressed, onClick) => {
    const node = button(label, "switch", onClick);
    node.id = id;
    node.setAttribute("aria-pressed", String(pressed));
    return node;
  };
  const tokens = toggle("tokens", "Token borders", settings.tokens, toggleTokens);
  tokens.disabled = !body.masked;
  if (!body.masked) tokens.title = "There was no tokenizer when this page was written.";
  const modes = element("div", "modes", toggle("raw", "As written", settings.mode === "raw", () => setMode("raw")),
    toggle("pretty", "As read", settings.mode === "pretty", () => setMode("pretty")));
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", "Replies");
  const legend = byId("legend").content.cloneNode(true);
  if (!body.masked) legend.querySelector(".of-mask").remove();
  if (!body.weighed) legend.querySelector(".of-weights").remove();
  return element("div", "bar", modes, tokens, legend);
}

function renderTurns() {
  detail.querySelector(".turns")?.remove();
  const turns = element("div", "turns", turnSections(opened, settings.mode));
  turns.classList.toggle("borders", settings.tokens && opened.masked);
  detail.append(turns);
  const switches = detail.querySelector(".bar");
  const covers = getComputedStyle(switches).position === "sticky" ? switches.offsetHeight : 0;
  detail.style.scrollPaddingTop = `${covers}px`;
  connect(opened, turns);
}

function setMode(mode) {
  if (!opened || settings.mode === mode) return;
  const at = turnInView();
  settings.mode = mode;
  for (const name of ["raw", "pretty"]) byId(name).setAttribute("aria-pressed", String(name === mode));
  renderTurns();
  if (at >= 0) turnSection(at).scrollIntoView();
}

function toggleTokens() {
  if (!opened?.masked) return;
  settings.tokens = !settings.tokens;
  byId("tokens").setAttribute("aria-pressed", String(settings.tokens));
  detail.querySelector(".turns").classList.toggle("borders", settings.tokens);
}

const turnSection = (number) => detail.querySelectorAll("section.turn")[number];

/** The last turn that begins above the middle of the pane; -1 before the first. */
function turnInView() {
  const middle = detail.getBoundingClientRect().top + detail.clientHeight / 2;
  const tops = [...detail.querySelectorAll("section.turn")].map((node) => node.getBoundingClientRect().top);
  return tops.filter((top) => top < middle).length - 1;
}

function moveTurn(step) {
  const sections = [...detail.querySelectorAll("section.turn")];
  const focused = sections.indexOf(document.activeElement.closest("section.turn"));
  const target = sections[(focused < 0 ? turnInView() + (step < 0 ? 1 : 0) : focused) + step];
  if (!target) return;
  target.focus({ preventScroll: true });
  target.scrollIntoView();
}
