// @ts-check
// The stream of notices: its state, pausing it, and what is said.
import { refresh, setServerTime } from "./time.js";

const LOST_MS = 5000;
const QUIET_MS = 5000;
let paused = false;
let lostTimer = 0;
let saidAt = 0;
/** @type {Set<string>} */
const unseen = new Set();

/** @param {string} text @param {boolean} [soft] not so soon after the last */
export const say = (text, soft = false) => {
  const region = document.getElementById("said");
  const at = performance.now();
  if (!region || (soft && at - saidAt < QUIET_MS)) return;
  saidAt = at;
  region.textContent = text;
};

/** @param {"live" | "paused" | "lost"} state */
const show = (state) => {
  for (const element of document.querySelectorAll("[data-live]")) {
    element.setAttribute("data-live", state);
    element.setAttribute("aria-pressed", String(state === "paused"));
    const word = element.querySelector("[data-live-word]");
    if (word) word.textContent = { live: "live", paused: "paused", lost: "reconnecting" }[state];
  }
};

const alive = () => {
  clearTimeout(lostTimer);
  lostTimer = 0;
  show(paused ? "paused" : "live");
};

const lost = () => {
  lostTimer ||= setTimeout(() => !paused && show("lost"), LOST_MS);
};

/** @param {Event} event @returns {any} */
const data = (event) => {
  try {
    return JSON.parse(/** @type {CustomEvent} */ (event).detail.data);
  } catch {
    return {};
  }
};

/** Rows that are shown refetch in place; others wait behind a button. @param {Event} event */
const noticed = (event) => {
  alive();
  if (paused) return event.stopPropagation();
  const list = document.querySelector("[data-list]");
  if (!list) return;
  const notice = data(event);
  for (const { id } of notice.ids ?? []) {
    if (!document.getElementById(`batch-${id}`)) unseen.add(id);
  }
  const button = document.querySelector("[data-unseen]");
  if (!button || !unseen.size) return;
  button.textContent = `${unseen.size} changed, show`;
  button.removeAttribute("hidden");
};

document.addEventListener("batch", noticed, true);
document.addEventListener("heartbeat", (event) => {
  const { time } = data(event);
  if (time) setServerTime(Date.parse(time));
  alive();
});
document.addEventListener("htmx:sse:after:connection", alive);
document.addEventListener("htmx:sse:error", lost);
document.addEventListener("htmx:sse:close", lost);

// What could not be opened is tried again.
/** @type {any} */
const stream = document.getElementById("stream");
stream?.addEventListener("htmx:finally:request", () => {
  if (stream._htmx.sse) return;
  lost();
  setTimeout(() => stream.dispatchEvent(new Event("again")), LOST_MS);
});

// For screen readers.
document.addEventListener("htmx:after:swap", () => {
  const news = document.querySelector("[data-say]");
  const text = news?.getAttribute("data-say");
  if (text && text !== document.body.dataset.said) {
    document.body.dataset.said = text;
    say(text, true);
  }
});

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-unseen]")) {
    unseen.clear();
    target.closest("[data-unseen]")?.setAttribute("hidden", "");
  }
  if (!target?.closest("[data-live]")) return;
  paused = !paused;
  show(paused ? "paused" : "live");
  if (!paused) document.body.dispatchEvent(new CustomEvent("batch", { bubbles: true, detail: { data: "{}" } }));
  refresh();
});
