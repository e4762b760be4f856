"use strict";
// Trials arrive as JSON and reach the page through textContent only.
(() => {
  const trials = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("list");
  if (!list) return;
  const view = document.getElementById("trial");
  const count = document.getElementById("count");
  const search = document.getElementById("filter-text");
  const outcomes = { solved: "solved", failed: "not solved", lost: "infra. error" };
  let shown = [];
  let current = -1;

  const outcome = (trial) => (trial.reward === null ? "lost" : trial.reward >= 1 ? "solved" : "failed");
  const groupOf = (trial) => trial.group || "none";
  const plural = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;

  function element(tag, className, ...children) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    for (const child of children) if (child) node.append(child); // append() turns strings into text nodes
    return node;
  }

  function screen(text) {
    const node = element("pre", "screen", text);
    node.tabIndex = 0; // so that the keyboard can scroll it
    return node;
  }

  function outcomeLabel(trial) {
    const kind = outcome(trial);
    const partial = kind === "failed" && trial.reward !== 0 ? ` (${trial.reward})` : "";
    return element("span", `outcome ${kind}`, outcomes[kind] + partial);
  }

  function filter(id, values, label) {
    const select = document.getElementById(id);
    select.append(new Option("all", ""));
    for (const value of values) select.append(new Option(label ? label(value) : value, value));
    select.addEventListener("change", refresh);
    return select;
  }

  const distinct = (read) => [...new Set(trials.map(read))].sort();
  const student = filter("filter-student", distinct((trial) => trial.student));
  const group = filter("filter-group", distinct(groupOf));
  const result = filter("filter-outcome", Object.keys(outcomes), (kind) => outcomes[kind]);

  const texts = new Map();
  function textOf(index) {
    if (!texts.has(index)) {
      const trial = trials[index];
      const parts = [trial.task, trial.student, trial.exception, trial.verifier_output];
      texts.set(index, parts.concat(trial.messages.map((message) => message.content)).join("\n").toLowerCase());
    }
    return texts.get(index);
  }

  function matches(index) {
    const trial = trials[index];
    return (
      (!student.value || trial.student === student.value) &&
      (!group.value || groupOf(trial) === group.value) &&
      (!result.value || outcome(trial) === result.value) &&
      (!search.value || textOf(index).includes(search.value.toLowerCase()))
    );
  }

  function refresh() {
    shown = [...trials.keys()].filter(matches);
    count.textContent = `${shown.length} of ${plural(trials.length, "trial")}`;
    list.replaceChildren(...shown.map(entry));
    if (!shown.includes(current)) show(shown.length ? shown[0] : -1);
    else show(current);
  }

  function entry(index) {
    const trial = trials[index];
    const button = element("button", "", element("span", "task", trial.task), outcomeLabel(trial),
      element("small", "", [trial.student, trial.group].filter(Boolean).join(", ")),
      element("small", "", trial.turns === null ? "" : plural(trial.turns, "turn")));
    button.type = "button";
    button.dataset.index = index;
    button.addEventListener("click", () => {
      show(index);
      const narrow = view.getBoundingClientRect().left < list.getBoundingClientRect().right;
      if (narrow) view.scrollIntoView();
      history.replaceState(null, "", `#trial-${index + 1}`);
    });
    return element("li", "", button);
  }

  function show(index) {
    current = index;
    for (const button of list.querySelectorAll("button"))
      button.setAttribute("aria-current", String(Number(button.dataset.index) === index));
    if (index < 0) return view.replaceChildren(element("p", "empty", "No trial matches these filters."));
    view.replaceChildren(...conversation(trials[index]), steps());
  }

  function conversation(trial) {
    const facts = [trial.student, trial.group, trial.turns === null ? "" : plural(trial.turns, "turn")].filter(Boolean);
    const meta = element("p", "meta", outcomeLabel(trial), ...facts.map((fact) => element("span", "", fact)));
    if (trial.exception) meta.append(element("span", "warn", trial.exception));
    const nodes = [element("h3", "", trial.task), meta];
    let turn = 0;
    for (const message of trial.messages) {
      if (message.reply) nodes.push(row(`turn ${++turn}`, reply(message)));
      else nodes.push(row(turn || message.role !== "user" ? (message.role === "user" ? "terminal" : message.role) : "prompt", [screen(message.content)]));
    }
    if (!trial.messages.length) nodes.push(element("p", "empty", "No conversation is recorded for this trial."));
    if (trial.verifier_output) nodes.push(row("verifier", [screen(trial.verifier_output)]));
    return nodes;
  }

  function row(who, children) {
    return element("div", "turn", element("div", "who", who), element("div", "", ...children));
  }

  function reply(message) {
    const { analysis, plan, commands, complete, error, warning } = message.reply;
    if (error) return [element("p", "flag failed", `The harness could not read this reply: ${error}`), screen(message.content)];
    const nodes = [];
    if (warning) nodes.push(element("p", "flag warn", warning));
    if (analysis) nodes.push(element("p", "", analysis));
    if (plan) nodes.push(element("p", "plan", plan));
    if (commands.length) nodes.push(element("ul", "commands", ...commands.map(command)));
    if (complete) nodes.push(element("p", "flag", "Says that the task is complete."));
    nodes.push(element("details", "", element("summary", "", "Reply as written"), screen(message.content)));
    return nodes;
  }

  function command([keystrokes, duration]) {
    const enter = keystrokes.endsWith("\n");
    const keys = element("pre", "", enter ? keystrokes.slice(0, -1) : keystrokes);
    if (enter) keys.append(element("span", "key", " \u23ce"));
    return element("li", "", keys, element("small", "", `${duration} s`));
  }

  function steps() {
    const place = shown.indexOf(current);
    const step = (label, target) => {
      const button = element("button", "", label);
      button.type = "button";
      button.disabled = target === undefined;
      button.addEventListener("click", () => {
        show(target);
        view.scrollIntoView();
        view.focus({ preventScroll: true });
      });
      return button;
    };
    return element("div", "steps", step("\u2190 Previous trial", shown[place - 1]), step("Next trial \u2192", shown[place + 1]));
  }

  list.addEventListener("keydown", (event) => {
    const move = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const item = document.activeElement.closest("li");
    if (!move || !item) return;
    event.preventDefault();
    const button = (move > 0 ? item.nextElementSibling : item.previousElementSibling)?.firstElementChild;
    if (!button) return;
    button.focus();
    show(Number(button.dataset.index));
  });

  let pause;
  search.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(refresh, 150);
  });
  const linked = Number((location.hash.match(/^#trial-(\d+)$/) || [])[1]) - 1;
  if (trials[linked]) current = linked;
  refresh();
  if (trials[linked]) view.scrollIntoView();
})();
