// Lines between an action and the observation that supports it.

const SVG = "http://www.w3.org/2000/svg";
let linked = null; // the body that is open, the element that holds its turns, its drawing
let cameFrom = null;

function connect(body, turns) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.classList.add("lines");
  drawing.setAttribute("aria-hidden", "true");
  turns.append(drawing);
  linked = { body, turns, drawing };
  cameFrom = null;
  turns.addEventListener("pointerover", (event) => light(commandAt(event.target) ?? commandAt(document.activeElement)));
  turns.addEventListener("pointerleave", () => light(commandAt(document.activeElement)));
  turns.addEventListener("focusin", (event) => light(commandAt(event.target)));
  turns.addEventListener("click", (event) => {
    const index = commandAt(event.target);
    if (index !== null && getSelection().isCollapsed) jump(index); // a drag selects text
  });
  turns.addEventListener("keydown", (event) => {
    const index = commandAt(event.target);
    if (index === null || (event.key !== "Enter" && event.key !== " ")) return;
    event.preventDefault();
    jump(index);
  });
}

function commandAt(node) {
  const span = node?.closest?.("[data-event]");
  return span && linked?.turns.contains(span) ? Number(span.dataset.event) : null;
}

/** The pieces of a command; one that has none, because others cover it, stands where they do. */
function spansOf(index) {
  const find = (event) => [...linked.turns.querySelectorAll(`[data-event="${event}"]`)];
  const own = find(index);
  return own.length ? own : find(linked.body.events[index].at);
}

function pairs(index) {
  const event = linked.body.events[index];
  return event.support === null ? event.supports.map((action) => [action, index]) : [[index, event.support]];
}

function light(index) {
  if (!linked) return;
  linked.drawing.replaceChildren();
  for (const span of linked.turns.querySelectorAll(".lit")) span.classList.remove("lit");
  if (index === null) return;
  for (const [action, observation] of pairs(index)) {
    if (!spansOf(action).length || !spansOf(observation).length) continue;
    for (const span of [...spansOf(action), ...spansOf(observation)]) span.classList.add("lit");
    linked.drawing.append(...line(place(action), place(observation)));
  }
}

/** Where a command begins: left edge and foot of its first line, within the turns. */
function place(index) {
  const box = spansOf(index)[0].getClientRects()[0];
  const origin = linked.turns.getBoundingClientRect();
  return [box.left - origin.left, box.bottom - origin.top + 1];
}

function line([actionX, actionY], [observationX, observationY]) {
  const left = linked.turns.querySelector(".turn > :nth-child(2)").offsetLeft;
  const bow = Math.max(2, left - 10 - Math.min(40, Math.abs(actionY - observationY) / 30));
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", `M${actionX},${actionY} H${left - 4} C${bow},${actionY} ${bow},${observationY} ${left - 4},${observationY} H${observationX}`);
  const dot = document.createElementNS(SVG, "circle");
  for (const [name, value] of [["cx", left - 4], ["cy", observationY], ["r", 3]]) dot.setAttribute(name, value);
  return [path, dot];
}

/** From an action to its observation; from an observation back to where one came from, or its first action. */
function jump(index) {
  const { support, supports } = linked.body.events[index];
  const target = support ?? (supports.includes(cameFrom) ? cameFrom : supports[0]);
  const span = target === undefined ? undefined : spansOf(target)[0];
  if (!span) return;
  cameFrom = index;
  if (!span.hasAttribute("tabindex")) span.tabIndex = -1;
  span.focus({ preventScroll: true });
  span.scrollIntoView({ block: "center" });
}
