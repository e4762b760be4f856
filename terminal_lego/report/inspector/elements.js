// Trajectories reach the page through text nodes only.

const byId = (id) => document.getElementById(id);
const detail = byId("detail");
const list = byId("list");

function element(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  for (const child of children.flat()) if (child) node.append(child); // append() makes text nodes of strings
  return node;
}

function button(label, className, onClick) {
  const node = element("button", className, label);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

const grouped = new Intl.NumberFormat("en");
const whole = (value) => (value === null ? "\u2013" : grouped.format(value));
const plural = (count, word) => `${whole(count)} ${word}${count === 1 ? "" : "s"}`;
const share = (value) => (typeof value === "number" ? value.toFixed(2) : value ?? "\u2013");
const rounded = (value) => (typeof value === "number" ? String(Math.round(value * 1000) / 1000) : value ?? "\u2013");
