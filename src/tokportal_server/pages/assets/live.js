"use strict";
// A page that updates by itself. The server says only that something has moved; the page then asks
// for itself again. It is put in place unless somebody is writing in it: then a button offers it.
{
  const main = document.querySelector("main[data-live]");
  const news = document.querySelector(".news");
  const shortest = 2000;
  let address = main.dataset.live;
  let stream = null;
  let asked = 0;
  let timer = null;
  let edited = false;
  // What the server sent last; what scripts have done to the page since is no news.
  let known = comparable(main);

  function comparable(element) {
    const copy = element.cloneNode(true);
    for (const one of copy.querySelectorAll("[data-done], .note.good[role=status], [name=once]")) one.remove();
    for (const one of copy.querySelectorAll("details")) one.removeAttribute("open");
    return copy.innerHTML.replace(/\s+/g, " ");
  }

  function isBeingUsed() {
    const at = document.activeElement;
    return edited || (main.contains(at) && at.matches("input, textarea, select, summary"))
      || !document.getSelection().isCollapsed || main.querySelector("[aria-busy=true], .moving, .dragged");
  }

  async function refresh() {
    timer = null;
    asked = Date.now();
    let answer;
    try {
      answer = await fetch(location.href, { credentials: "same-origin" });
    } catch {
      return; // The connection is away; the stream comes back, and with it the next news.
    }
    // Signed out, or not theirs any more: the browser shows what the server says to that.
    if (answer.redirected || !answer.ok) { location.reload(); return; }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("main[data-live]");
    if (!next) return;
    address = next.dataset.live;
    const bell = page.querySelector(".bell");
    if (bell) document.querySelector(".bell")?.replaceWith(bell);
    const fresh = comparable(next);
    if (fresh === known) return;
    if (isBeingUsed()) offer(() => show(next, fresh)); else show(next, fresh);
  }

  function show(next, fresh) {
    const open = [...main.querySelectorAll("details[open] > summary")].map((one) => one.textContent);
    const link = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
    main.replaceChildren(...next.childNodes);
    for (const one of main.querySelectorAll("details > summary")) {
      if (open.includes(one.textContent)) one.parentElement.open = true;
    }
    if (link) main.querySelector(`a[href="${CSS.escape(link)}"]`)?.focus({ preventScroll: true });
    known = fresh;
    edited = false;
    news.hidden = true;
    document.dispatchEvent(new CustomEvent("page:shown", { detail: main }));
  }

  function offer(act) {
    const button = document.createElement("button");
    button.className = "quiet";
    button.textContent = news.dataset.show;
    button.addEventListener("click", act);
    news.replaceChildren(news.dataset.news, button);
    news.hidden = false;
  }

  // Not more often than every two seconds, and not everybody in the same moment.
  function soon() {
    const wait = Math.max(0, asked + shortest - Date.now()) + Math.random() * 500;
    timer ??= setTimeout(refresh, wait);
  }

  // A browser keeps few connections to one server: a window that nobody sees gives its own back.
  function follow() {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (!stream) {
      stream = new EventSource(address);
      stream.addEventListener("moved", soon);
    }
  }

  main.addEventListener("input", () => { edited = true; });
  main.addEventListener("submit", () => { edited = false; });
  document.addEventListener("visibilitychange", follow);
  // Other scripts know of things that are no events; see waiting.js.
  document.addEventListener("page:ask", soon);
  addEventListener("pagehide", () => { stream?.close(); stream = null; });
  addEventListener("pageshow", follow);
  follow();
}
