"use strict";
// Slots that are dragged to another day. The server decides, by the form that the slot's own page
// has; what it refuses goes back to where it was, and the page says why.
{
  let dragged = null;

  function put(entry, cell) {
    let list = cell.querySelector("ul");
    if (!list) {
      list = document.createElement("ul");
      list.className = "plain";
      cell.append(list);
    }
    list.append(entry);
  }

  function say(text) {
    const note = document.querySelector(".moved");
    note.textContent = text;
    note.hidden = !text;
  }

  // Every word of a refusal, whichever form of the slot's page shows it.
  function reasons(page) {
    const told = [...page.querySelectorAll("[role=alert], .wrong")].map((one) => one.textContent.trim());
    return [...new Set(told)].filter(Boolean).join(" ");
  }

  async function move(entry, cell) {
    const home = entry.parentElement;
    const next = entry.nextElementSibling;
    const table = cell.closest("table");
    put(entry, cell);
    entry.classList.add("moving");
    say("");
    const form = new URLSearchParams({
      form_token: table.dataset.token,
      target_publish_date: cell.dataset.day,
      seen: entry.dataset.seen,
      calendar: table.dataset.view,
    });
    try {
      const answer = await fetch(entry.dataset.move, { method: "POST", body: form });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const main = page.querySelector("main");
      if (!answer.ok || !main?.querySelector("table.calendar")) throw new Error(reasons(page) || table.dataset.failed);
      const here = document.querySelector("main");
      here.replaceChildren(...main.childNodes);
      document.dispatchEvent(new CustomEvent("page:shown", { detail: here }));
    } catch (error) {
      home.insertBefore(entry, next);
      entry.classList.remove("moving");
      say(error instanceof TypeError ? table.dataset.failed : error.message);
    }
  }

  document.addEventListener("dragstart", (event) => {
    dragged = event.target.closest?.("[data-move]") ?? null;
    if (!dragged) return;
    event.dataTransfer.effectAllowed = "move";
    dragged.classList.add("dragged");
  });
  document.addEventListener("dragend", () => {
    dragged?.classList.remove("dragged");
    dragged = null;
    for (const cell of document.querySelectorAll("td.over")) cell.classList.remove("over");
  });
  document.addEventListener("dragover", (event) => {
    const cell = dragged && event.target.closest?.("td[data-day]");
    if (!cell) return;
    event.preventDefault();
    cell.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    event.target.closest?.("td[data-day]")?.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    const cell = dragged && event.target.closest?.("td[data-day]");
    if (!cell) return;
    event.preventDefault();
    cell.classList.remove("over");
    if (dragged.closest("td") !== cell) move(dragged, cell);
  });
}
