// @ts-check
// Keyboard: a key does what the element with that `data-key` does, so every shortcut has a visible twin.
// All can be switched off (WCAG 2.1.4) with the checkbox in the help dialog.
import { nextMode } from "./time.js";
import { say } from "./live.js";

/** @type {Record<string, string>} */
const PAGES = { o: "/", b: "/batches", d: "/dead-letters", s: "/system", p: "/pipelines", a: "/operations" };
let pending = "";
let timer = 0;

const off = () => {
  try {
    return localStorage.getItem("keys") === "off";
  } catch {
    return false;
  }
};

/** @param {EventTarget | null} target */
const writes = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches("input, select, textarea"));

/** @param {number} step */
const move = (step) => {
  const rows = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("[data-row]")]);
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const row = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))];
  const link = /** @type {HTMLElement} */ (row.querySelector("a[href]") ?? row);
  link.focus();
  row.scrollIntoView({ block: "nearest" });
};

const select = () => {
  const row = document.activeElement?.closest("[data-row]");
  const box = /** @type {HTMLInputElement | null | undefined} */ (row?.querySelector("input[type=checkbox]"));
  box?.click();
};

const copy = async () => {
  await navigator.clipboard?.writeText(location.href);
  say("Link copied");
};

/** @param {string} key @returns {boolean} */
const press = (key) => {
  const element = /** @type {HTMLElement | null} */ (document.querySelector(`[data-key="${CSS.escape(key)}"]`));
  if (!element) return false;
  if (element.matches("input, select")) {
    element.focus();
    if (element instanceof HTMLInputElement) element.select();
  } else element.click();
  return true;
};

/** @param {string} key @returns {boolean} whether the key did something */
const act = (key) => {
  if (pending === "g") {
    pending = "";
    if (PAGES[key]) location.assign(PAGES[key]);
    return key in PAGES;
  }
  if (key === "g") {
    pending = "g";
    clearTimeout(timer);
    timer = setTimeout(() => (pending = ""), 1500);
  } else if (key === "j") move(1);
  else if (key === "k") move(-1);
  else if (key === "x") select();
  else if (key === "t") say(`Times: ${nextMode()}`);
  else if (key === "y") void copy();
  else return press(key);
  return true;
};

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "k" && !off()) {
    if (press("/")) event.preventDefault();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || off() || writes(event.target)) return;
  if (document.querySelector("dialog[open]")) return;
  if (act(event.key)) event.preventDefault();
});

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!(box instanceof HTMLInputElement) || !box.matches("[data-keys-switch]")) return;
  try {
    localStorage.setItem("keys", box.checked ? "on" : "off");
  } catch {}
});

// A button with `data-opens` opens that dialog.
document.addEventListener("click", (event) => {
  const button = event.target instanceof Element && event.target.closest("[data-opens], [data-closes]");
  if (!button) return;
  const name = button.getAttribute("data-opens");
  const dialog = name ? document.getElementById(name) : button.closest("dialog");
  if (!(dialog instanceof HTMLDialogElement)) return;
  event.preventDefault();
  if (!name) dialog.close();
  else {
    const box = /** @type {HTMLInputElement | null} */ (dialog.querySelector("[data-keys-switch]"));
    if (box) box.checked = !off();
    dialog.showModal();
  }
});
