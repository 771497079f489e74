"use strict";
// What a form would cost, while it is filled in: the server says it, by a dry run of the same act.
// A form that costs something is sent once, however often its button is pressed.
{
  const quiet = 400;
  let timer = null;
  let asking = null;

  async function ask(form) {
    asking?.abort();
    asking = new AbortController();
    let answer;
    try {
      answer = await fetch(form.dataset.price, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        signal: asking.signal,
      });
    } catch {
      return; // Asked again meanwhile, or the connection is away.
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("price");
    const box = form.querySelector("#price");
    if (next && box) box.replaceChildren(...next.childNodes);
  }

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.price || event.target.type === "file") return;
    clearTimeout(timer);
    timer = setTimeout(() => ask(form), quiet);
  });

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!("once" in form.dataset)) return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  // Back from the next page, it may be sent again.
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  });
}
