"use strict";
// Fields that only some choices need: data-when="name=one,other" or data-when="name" (ticked). What
// is hidden is not sent. Without scripts everything is shown, and the hints say what belongs where.
{
  function fits(form, rule) {
    const [name, wanted] = rule.split("=");
    const field = form.elements[name];
    if (!field) return true;
    if (field.type === "checkbox") return field.checked;
    return wanted.split(",").includes(field.value);
  }

  function arrange(form) {
    for (const part of form.querySelectorAll("[data-when]")) {
      const shown = fits(form, part.dataset.when);
      part.hidden = !shown;
      for (const field of part.querySelectorAll("input, select, textarea")) field.disabled = !shown;
    }
  }

  function arrangeAll() {
    for (const part of document.querySelectorAll("form [data-when]")) arrange(part.closest("form"));
  }

  document.addEventListener("input", (event) => {
    if (event.target.form?.querySelector("[data-when]")) arrange(event.target.form);
  });
  document.addEventListener("page:shown", arrangeAll);
  arrangeAll();
}
