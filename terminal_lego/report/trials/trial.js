// What stands on the right: one trial's head, verdict and conversation.

const packed = document.querySelectorAll("script.body");
const UNPACKED_BY = "Chrome 80, Edge 80, Firefox 113 and Safari 16.4 and later have it";
let mode = "raw";
let opened = null;

async function unpack(index) {
  if (typeof DecompressionStream === "undefined")
    throw new Error(`This browser cannot unpack the trials: it has no DecompressionStream (${UNPACKED_BY}).`);
  const bytes = Uint8Array.from(atob(packed[index].textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

const address = (index) => `#trial-${index + 1}`;

/** Opening goes through the address, so that the browser's own back button leads to the grid. */
function show(index) {
  if (location.hash === address(index)) followAddress();
  else location.hash = address(index);
}

function followAddress() {
  const index = Number((location.hash.match(/^#trial-(\d+)$/) || [])[1]) - 1;
  document.body.classList.toggle("reading", index in entries);
  if (index in entries) read(index);
  else if (current >= 0) leave();
}

async function read(index) {
  current = index;
  for (const node of list.querySelectorAll("[aria-current]")) node.removeAttribute("aria-current");
  cells[index].setAttribute("aria-current", "true");
  setCursor(shown.has(index) ? index : order()[0]);
  cells[index].scrollIntoView({ block: "nearest" });
  try {
    const body = await unpack(index);
    if (current !== index) return;
    opened = body;
    detail.replaceChildren(back(), ...head(entries[index], body, index), bar());
    renderTurns();
  } catch (error) {
    if (current !== index) return;
    opened = null;
    detail.replaceChildren(back(), element("p", "notice", error instanceof TypeError || error instanceof DOMException
      ? `This trial cannot be unpacked: ${error.message}.` : error.message));
  }
  detail.scrollTop = 0;
  detail.focus({ preventScroll: true });
}

function leave() {
  document.body.classList.remove("reading");
  if (current >= 0) cells[current].focus();
}

function backToGrid() {
  if (document.body.classList.contains("reading")) history.replaceState(null, "", location.pathname + location.search);
  leave();
}

const back = () => button("\u2190 Grid", "quiet back", backToGrid);
const clock = (seconds) => (seconds === null ? "\u2013" : seconds < 90 ? `${rounded(Math.round(seconds * 10) / 10)} s`
  : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);

function head(entry, body, index) {
  const figures = [
    ["reward", rounded(entry.reward)],
    ["turns", whole(entry.turns)],
    ["tokens in", whole(entry.prompt)],
    ["tokens out", whole(entry.completion)],
    ["agent", clock(entry.seconds)],
  ];
  const facts = [
    ["trial", entry.trial],
    ["folder", body.folder],
    ...body.rewards.map(([name, value]) => [name, String(value)]),
    ...body.phases.map(([name, took]) => [name, clock(took)]),
  ];
  return [
    element("h2", "", entry.task),
    element("p", "meta", element("span", `verdict ${entry.outcome}`, element("span", `cell ${entry.outcome}`), LABELS[entry.outcome]),
      element("span", "", `attempt ${attempts[index]}`), element("span", "", entry.model),
      entry.error ? element("span", "warn", entry.error) : ""),
    element("dl", "figures", figures.map(([name, value]) => element("div", "", element("dt", "", name), element("dd", "", value)))),
    body.message ? element("p", `flag ${entry.outcome === "passed" ? "warn" : "bad"}`, element("b", "", entry.error), ` ${body.message}`) : "",
    folded("Traceback", body.traceback, !body.message && entry.outcome !== "passed"),
    folded(body.is_tail ? "What the verifier printed last" : "What the verifier printed", body.verifier, entry.outcome === "failed"),
    element("details", "", element("summary", "", "Where it comes from"),
      element("dl", "facts", facts.map(([name, value]) => element("div", "", element("dt", "", name), element("dd", "", value))))),
  ];
}

function folded(label, text, open) {
  if (!text) return "";
  const node = element("details", "", element("summary", "", label), screen(text));
  node.open = open;
  return node;
}

function bar() {
  const modes = element("div", "modes", ["raw", "pretty"].map((name) => {
    const node = button(name === "raw" ? "As written" : "As read", "switch", () => setMode(name));
    node.id = name;
    node.setAttribute("aria-pressed", String(mode === name));
    return node;
  }));
  modes.setAttribute("role", "group");
  modes.setAttribute("aria-label", "Replies");
  return element("div", "bar", modes);
}

function renderTurns() {
  detail.querySelector(".turns")?.remove();
  const turns = element("div", "turns");
  if (opened.unread) turns.append(element("p", "empty", `No conversation: ${opened.unread}.`));
  opened.segments.forEach((segment, number) => {
    if (number) turns.append(element("p", "flag", "The history was cut here; the conversation went on from what follows."));
    const sections = turnSections(segment, mode);
    sections.slice(1).forEach((section, index) => addUse(section, segment.turns[index]));
    turns.append(...sections);
  });
  detail.append(turns);
  const switches = detail.querySelector(".bar");
  const covers = getComputedStyle(switches).position === "sticky" ? switches.offsetHeight : 0;
  detail.style.scrollPaddingTop = `${covers}px`;
}

function addUse(section, { used: [prompt, completion, seconds], cut }) {
  const notes = [
    prompt === null ? "" : `${whole(prompt)} in`, completion === null ? "" : `${whole(completion)} out`,
    seconds === null ? "" : clock(seconds), cut ? "cut at the output limit" : "",
  ].filter(Boolean);
  section.firstElementChild.append(...notes.map((note) => element("small", cut && note.startsWith("cut") ? "warn" : "", note)));
}

function setMode(name) {
  if (!opened || mode === name) return;
  const at = turnInView();
  mode = name;
  for (const each of ["raw", "pretty"]) byId(each).setAttribute("aria-pressed", String(each === name));
  renderTurns();
  if (at >= 0) detail.querySelectorAll("section.turn")[at].scrollIntoView();
}

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

/** Open the trial after or before this one, of those that match. */
function moveTrial(step) {
  const all = order();
  const target = all[current < 0 ? 0 : Math.max(0, Math.min(all.length - 1, all.indexOf(current) + step))];
  if (target !== undefined && target !== current) show(target);
}
