// One trajectory's turns.

const LETTERS = { observation: "O", action: "A", verification: "V", other: "X" };
const LONG = { lines: 32, characters: 6000, ends: 12, endCharacters: 1500 };

function turnSections(body, mode) {
  const marked = new Set(); // commands that carry their letter already: it stands at their first piece
  const sections = [element("div", "turn opening", who("prompt"), element("div", "", screen(body.prompt)))];
  body.turns.forEach((turn, number) => {
    const name = `turn ${number + 1}`;
    const part = turn.tokens === null ? "" : `${whole(turn.trained)} of ${plural(turn.tokens, "token")} trained`;
    const section = element("section", "turn", who(name, part), element("div", "", flags(turn), reply(turn, mode, body, marked)));
    if (turn.observation) section.append(who("terminal"), element("div", "", screen(turn.observation)));
    section.tabIndex = -1;
    section.setAttribute("aria-label", name);
    sections.push(section);
  });
  return sections;
}

const who = (name, note) => element("div", "who", element("span", "", name), note ? element("small", "", note) : "");

function flags(turn) {
  return [
    ...turn.notes.map((note) => element("p", "flag", note)),
    turn.error ? element("p", "flag bad", element("b", "", "Parse error"), ` ${turn.error}`) : "",
    turn.warning ? element("p", "flag warn", element("b", "", "Warning"), ` ${turn.warning.replace(/^- /gm, "")}`) : "",
    turn.reasoning ? element("details", "", element("summary", "", "Reasoning"), element("p", "reasoning", turn.reasoning)) : "",
  ];
}

function reply(turn, mode, body, marked) {
  if (mode === "raw" || turn.error) return [element("pre", "reply", pieces(turn.reply, body, marked))];
  const commands = turn.commands.map(([runs, seconds]) =>
    element("li", "", element("pre", "", pieces(runs, body, marked)), element("small", "", `${seconds} s`)));
  return [
    turn.analysis ? element("p", "", turn.analysis) : "",
    turn.plan ? element("p", "plan", turn.plan) : "",
    commands.length ? element("ul", "commands", commands) : element("p", "plan", "No command."),
    turn.complete ? element("p", "flag good", "Says that the task is complete.") : "",
  ];
}

function pieces(runs, body, marked) {
  return runs.map(([event, parts]) => {
    const texts = parts.map((part) => {
      const [text, weight, continued] = typeof part === "string" ? [part, 1, 0] : part;
      const node = element("span", continued ? "" : "token", text);
      if (weight === 0) node.classList.add("masked");
      else if (weight !== 1) {
        node.classList.add("weighed");
        node.title = `weight ${rounded(weight)}`;
      }
      return node;
    });
    return event === null ? texts : command(body.events[event], event, texts, marked);
  }).flat();
}

function command(event, index, texts, marked) {
  const node = element("span", `event ${event.kind}`, texts);
  node.dataset.event = index;
  node.title = event.about;
  if (event.unsupported) node.classList.add("unsupported");
  if (marked.has(index)) return node;
  marked.add(index);
  node.dataset.mark = LETTERS[event.kind] + (event.unsupported ? "!" : "");
  if (event.support !== null || event.supports.length) {
    node.tabIndex = 0;
    node.setAttribute("role", "button");
  }
  return node;
}

/** A screen without the blank rows below its text; of a long one both ends, until it is asked for. */
function screen(shown) {
  const text = shown.replace(/\s*\n\s*$/, "");
  const lines = text.split("\n");
  const whole = () => {
    const node = element("pre", "screen", text);
    node.tabIndex = 0; // so that the keyboard can scroll it
    return node;
  };
  if (lines.length <= LONG.lines && text.length <= LONG.characters) return whole();
  const head = lines.slice(0, LONG.ends).join("\n").slice(0, LONG.endCharacters);
  const tail = lines.slice(-LONG.ends).join("\n").slice(-LONG.endCharacters);
  const fold = element("div", "fold");
  const close = () => {
    const label = `Show all ${plural(lines.length, "line")}, ${plural(text.length, "character")}`;
    const more = button(label, "quiet", () => {
      const less = button("Fold", "quiet", () => (close(), fold.querySelector("button").focus()));
      fold.replaceChildren(less, whole());
      less.focus();
    });
    fold.replaceChildren(element("pre", "screen head", head), more, element("pre", "screen tail", tail));
  };
  close();
  return fold;
}
