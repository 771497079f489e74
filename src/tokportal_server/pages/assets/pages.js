"use strict";
// Copy buttons; without scripts the text beside them can be selected, and they stay hidden.
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

// What is put into the page later is prepared as well: scripts listen to "page:shown".
function prepare(part) {
  for (const button of part.querySelectorAll("button.copy")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest?.("button.copy");
  if (button) {
    const label = button.textContent;
    await copy(button.dataset.copy);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = label; }, 1500);
  }
  // A menu closes when something else is chosen.
  for (const menu of document.querySelectorAll("details.places[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("page:shown", (event) => prepare(event.detail));
prepare(document);
// On a phone the bars are wider than the window: where one is comes into view.
for (const here of document.querySelectorAll(".bar [aria-current]")) {
  // Not by scrollIntoView, after which the keyboard would begin here and not at the top.
  const bar = here.closest(".bar");
  bar.scrollLeft = here.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
}
