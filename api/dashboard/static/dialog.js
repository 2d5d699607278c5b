// @ts-check
// The dialog of actions: its content is the page of the action, which works alone too. And what could not be read
// again stays as it was, dimmed, with a word about it.

const dialog = /** @type {HTMLDialogElement | null} */ (document.getElementById("dialog"));
const body = document.getElementById("dialog-body");
/** @type {Element | null} */
let opener = null;

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const link = target?.closest("[data-dialog]");
  if (link) opener = link;
  const menu = target?.closest("details.menu");
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (open !== menu) open.removeAttribute("open");
  }
});

document.addEventListener("htmx:after:swap", (event) => {
  const target = /** @type {CustomEvent} */ (event).detail?.ctx?.target;
  if (target !== body || !dialog) return;
  for (const open of document.querySelectorAll("details.menu[open]")) open.removeAttribute("open");
  if (!dialog.open) dialog.showModal();
  const first = body?.querySelector("[autofocus]") ?? body?.querySelector("h1");
  if (first instanceof HTMLElement) first.focus();
});

dialog?.addEventListener("close", () => {
  if (body) body.textContent = "";
  if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
  opener = null;
});

dialog?.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.menu[open]")) {
    open.removeAttribute("open");
    open.querySelector("summary")?.focus();
  }
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = /** @type {CustomEvent} */ (event).detail ?? {};
  if (!(ctx?.target instanceof HTMLElement) || ctx.target === body) return;
  const failed = (ctx.response?.status ?? 0) >= 400;
  ctx.target.classList.toggle("is-dimmed", failed);
  const note = document.getElementById("not-current");
  if (note) note.hidden = !failed;
});
