// @ts-check
// Time travel: a slider over the decisions of a batch. Without script, the form has a select and a button.
document.addEventListener("input", (event) => {
  const range = event.target;
  if (!(range instanceof HTMLInputElement) || !range.matches("[data-slider]")) return;
  const choice = /** @type {HTMLSelectElement | null} */ (range.form?.elements.namedItem("at"));
  const option = choice?.options[Number(range.value)];
  if (!choice || !option) return;
  choice.value = option.value;
  range.setAttribute("aria-valuetext", option.text);
  const shown = range.form?.querySelector("output");
  if (shown) shown.textContent = option.text;
});

document.addEventListener("change", (event) => {
  const range = event.target;
  if (range instanceof HTMLInputElement && range.matches("[data-slider]")) range.form?.requestSubmit();
});
