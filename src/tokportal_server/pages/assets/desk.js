"use strict";
// The managers' desk: ticks of checklists stay where they were, in this browser alone, and windows
// are also told in its own time zone. Without scripts the list is one to read.
{
  const kept = "ticked:";
  const longest = 60 * 86400e3;

  function recall(box) {
    try { box.checked = localStorage.getItem(kept + box.dataset.keep) !== null; } catch { /* A browser that keeps nothing. */ }
  }

  function remember(box) {
    const key = kept + box.dataset.keep;
    try {
      if (box.checked) localStorage.setItem(key, Date.now()); else localStorage.removeItem(key);
    } catch { /* As above. */ }
  }

  function forgetOld() {
    try {
      for (const key of Object.keys(localStorage)) {
        if (key.startsWith(kept) && Date.now() - Number(localStorage.getItem(key)) > longest) {
          localStorage.removeItem(key);
        }
      }
    } catch { /* As above. */ }
  }

  function tellHere(line) {
    const here = new Intl.DateTimeFormat(undefined, {
      weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
    });
    const opens = new Date(line.dataset.opens);
    // Its last minute: midnight belongs to another day.
    const closes = new Date(Date.parse(line.dataset.closes) - 60e3);
    if (!opens.getTimezoneOffset() && !closes.getTimezoneOffset()) return;
    line.firstElementChild.textContent = here.formatRange(opens, closes);
    line.hidden = false;
    line.previousElementSibling.hidden = false;
  }

  function prepare(part) {
    for (const box of part.querySelectorAll("input[data-keep]")) recall(box);
    for (const line of part.querySelectorAll("[data-opens]")) tellHere(line);
  }

  document.addEventListener("change", (event) => {
    if (event.target.matches?.("input[data-keep]")) remember(event.target);
  });
  // A tick is kept by itself: nothing is lost when the page updates under it.
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("input[data-keep]")) event.stopPropagation();
  }, true);
  document.addEventListener("page:shown", (event) => prepare(event.detail));
  forgetOld();
  prepare(document);
}
