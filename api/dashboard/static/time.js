// @ts-check
// Times: the server writes <time datetime> in UTC; here they become relative, and `t` shows UTC or local time.
// One ticker serves all of them. The clock is the server's: the page and the stream's heartbeat tell how far the browser's is off.

/** @typedef {"relative" | "utc" | "local"} Mode */
const MODES = /** @type {Mode[]} */ (["relative", "utc", "local"]);
const UNITS = /** @type {[number, string][]} */ ([[86400, "d"], [3600, "h"], [60, "m"], [1, "s"]]);
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
let offset = Number(document.body.dataset.now ?? Date.now()) - Date.now();
let timer = 0;
/** @type {Mode} */
let mode = "relative";
try {
  const kept = /** @type {Mode} */ (localStorage.getItem("time"));
  if (MODES.includes(kept)) mode = kept;
} catch {}

/** @returns {number} milliseconds by the server's clock */
export const now = () => Date.now() + offset;

/** @param {number} serverMs */
export const setServerTime = (serverMs) => {
  offset = serverMs - Date.now();
};

/** @param {number} ms @returns {string} as the server writes it: `12s`, `41m`, `3h 5m`, `2d 4h` */
export const duration = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const at = UNITS.findIndex(([size]) => seconds >= size);
  if (at < 0) return "0s";
  const [size, unit] = UNITS[at];
  const next = at < 2 ? UNITS[at + 1] : null;
  const rest = next ? Math.floor((seconds % size) / next[0]) : 0;
  return `${Math.floor(seconds / size)}${unit}${next && rest ? ` ${rest}${next[1]}` : ""}`;
};

/** @param {Date} date */
const utc = (date) => date.toISOString().replace("T", " ");
/** @param {Date} date */
const local = (date) =>
  `${date.toLocaleString("sv-SE")}.${String(date.getMilliseconds()).padStart(3, "0")} ${zone}`;

/** @param {HTMLTimeElement} element @param {number} at */
const show = (element, at) => {
  const date = new Date(element.dateTime);
  const ms = date.getTime();
  if (Number.isNaN(ms)) return;
  const age = at - ms;
  let text;
  // `data-as="duration"` counts from a moment on, whatever the mode.
  if (element.dataset.as === "duration") text = duration(age);
  else if (mode === "utc") text = utc(date);
  else if (mode === "local") text = local(date);
  else if (Math.abs(age) < 1000) text = "now";
  else text = age > 0 ? `${duration(age)} ago` : `in ${duration(-age)}`;
  if (element.textContent !== text) element.textContent = text;
  const title = `${utc(date)}\n${local(date)}`;
  if (element.title !== title) element.title = title;
};

/** Write all times, and come back when the youngest of them needs it. */
export const refresh = () => {
  const at = now();
  let young = false;
  for (const element of document.querySelectorAll("time[datetime]:not([data-as=exact])")) {
    show(/** @type {HTMLTimeElement} */ (element), at);
    young ||= Math.abs(at - Date.parse(element.getAttribute("datetime") ?? "")) < 60000;
  }
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(refresh, young ? 1000 : 30000);
};

/** Go to the next way to show times; return it. @returns {Mode} */
export const nextMode = () => {
  mode = MODES[(MODES.indexOf(mode) + 1) % MODES.length];
  try {
    localStorage.setItem("time", mode);
  } catch {}
  refresh();
  return mode;
};

for (const event of ["htmx:after:swap", "htmx:after:settle", "visibilitychange"]) {
  document.addEventListener(event, refresh);
}
refresh();
