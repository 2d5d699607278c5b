// @ts-check
// The dialog of actions. What could not be read again is dimmed; a row that has changed shows it for a moment.

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
/** @param {string} name @param {(event: any) => void} then */
const on = (name, then) => document.addEventListener(name, then);

const dialog = byId("dialog");
const body = byId("dialog-body");
/** @type {any} */
let opener;

/** @param {Element} [but] */
const closeMenus = (but) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (menu !== but) menu.removeAttribute("open");
  }
};

on("click", ({ target }) => {
  opener = target.closest("[data-dialog]") ?? opener;
  closeMenus(target.closest("details.menu"));
});

on("keydown", ({ key }) => {
  if (key === "Escape") closeMenus();
});

// A swap ends after its content shows: it must not open what was closed meanwhile.
on("htmx:before:swap", ({ detail }) => {
  if (detail.ctx?.target !== body) return;
  closeMenus();
  if (!dialog.open) dialog.showModal();
});

on("htmx:after:swap", ({ detail }) => {
  if (detail.ctx?.target === body && dialog.open) (body.querySelector("[autofocus]") ?? body).focus();
});

dialog.addEventListener("close", () => {
  if (dialog.open) return;
  body.replaceChildren();
  (opener?.isConnected ? opener : byId("main")).focus();
});

on("htmx:after:request", ({ detail: { ctx } }) => {
  if (ctx.target === body) return;
  const failed = ctx.response?.status >= 400;
  ctx.target.classList.toggle("is-dimmed", failed);
  byId("not-current").hidden = !failed;
});

on("htmx:before:morph:attr", ({ target, detail }) => {
  if (detail.attrName !== "data-version") return;
  setTimeout(() => target.classList.add("is-changed"));
  setTimeout(() => target.classList.remove("is-changed"), 1200);
});
