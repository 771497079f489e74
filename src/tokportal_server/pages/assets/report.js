"use strict";
// The preview of a report follows the form; without scripts a button shows it anew.
const form = document.querySelector("form[data-preview]");
const frame = document.querySelector(".preview iframe");
const opened = document.querySelector(".preview a");
if (form && frame) {
  let waiting;
  const follow = () => {
    const fields = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (value && name !== "form_token") fields.set(name, value);
    }
    const address = `${form.dataset.preview}?${fields}`;
    if (frame.getAttribute("src") === address) return;
    frame.src = address;
    opened.href = address;
  };
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(follow, 400);
  });
  form.querySelector(".preview-do").hidden = true;
}
