// @ts-check
// Colour scheme: the system's until a person chooses. The choice is the cookie that the server reads, so that the next
// page has its colours in the first paint, and the form that works without script does the same.
const YEAR_S = 31536000;
const root = document.documentElement;
root.classList.add("js");

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element) || !event.target.closest("[data-theme-switch]")) return;
  const dark = (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  root.dataset.theme = dark ? "light" : "dark";
  document.cookie = `theme=${root.dataset.theme}; path=/; max-age=${YEAR_S}; samesite=strict`;
});
