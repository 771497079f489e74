"use strict";
// A check or an import of a CSV in the background, so that the chosen file stays chosen.
{
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!("sheet" in form.dataset)) return;
    event.preventDefault();
    const buttons = form.querySelectorAll("button");
    const where = event.submitter?.getAttribute("formaction") ?? form.getAttribute("action");
    for (const button of buttons) button.disabled = true;
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(where, { method: "POST", body: new FormData(form) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const outcome = page.getElementById("outcome");
      const here = document.getElementById("outcome");
      here.replaceChildren(...(outcome ?? page.querySelector("main")).childNodes);
      here.scrollIntoView({ block: "nearest" });
    } catch {
      const note = document.createElement("p");
      note.className = "note bad";
      note.textContent = form.dataset.failed;
      document.getElementById("outcome").replaceChildren(note);
    } finally {
      for (const button of buttons) button.disabled = false;
      form.removeAttribute("aria-busy");
    }
  });
}
