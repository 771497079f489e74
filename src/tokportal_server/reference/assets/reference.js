// What the pages gain from scripts: search, tabs for the samples, copy buttons. Without them every
// sample stands under its own heading, and the contents list every page.
"use strict";

const CHOICE = "reference-language";
const MOST_RESULTS = 12;

// A page opened from a disk may be denied storage; then the choice lasts as long as the page.
function remembered() {
  try {
    return localStorage.getItem(CHOICE);
  } catch {
    return null;
  }
}

function remember(language) {
  try {
    localStorage.setItem(CHOICE, language);
  } catch {
    // See above.
  }
}

function make(tag, attributes, text) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function addTabs(samples) {
  const panels = [...samples.querySelectorAll("section")];
  const list = make("div", { class: "tabs", role: "tablist", "aria-label": "Language" });
  const tabs = panels.map((panel) => {
    const language = panel.dataset.language;
    panel.id = `sample-${language}`;
    panel.setAttribute("role", "tabpanel");
    const tab = make(
      "button",
      { type: "button", role: "tab", id: `tab-${language}`, "aria-controls": panel.id },
      panel.querySelector("h3").textContent,
    );
    panel.setAttribute("aria-labelledby", tab.id);
    panel.removeAttribute("aria-label");
    tab.addEventListener("click", () => choose(language, false));
    list.append(tab);
    return tab;
  });

  function choose(language, focus) {
    const known = panels.some((panel) => panel.dataset.language === language);
    const shown = known ? language : panels[0].dataset.language;
    panels.forEach((panel, index) => {
      const selected = panel.dataset.language === shown;
      panel.hidden = !selected;
      tabs[index].setAttribute("aria-selected", String(selected));
      tabs[index].tabIndex = selected ? 0 : -1;
      if (selected && focus) tabs[index].focus();
    });
    if (known) remember(language);
  }

  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = tabs.indexOf(document.activeElement);
    choose(panels[(at + step + panels.length) % panels.length].dataset.language, true);
  });
  samples.prepend(list);
  samples.classList.add("tabbed");
  choose(remembered(), false);
}

function addCopyButton(pre) {
  const button = make("button", { type: "button", class: "copy" }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(pre.textContent);
      button.textContent = "Copied";
    } catch {
      // Browsers keep the clipboard from plain http; select the text for the reader instead.
      getSelection().selectAllChildren(pre);
      button.textContent = "Selected";
    }
    setTimeout(() => (button.textContent = "Copy"), 2000);
  });
  const block = make("div", { class: "block" });
  // What scrolls sideways must be reachable by keyboard.
  pre.tabIndex = 0;
  pre.replaceWith(block);
  block.append(pre, button);
}

function addSearch(search) {
  const input = search.querySelector("input");
  const results = search.querySelector("ul");
  const status = search.querySelector("[role=status]");
  const { root, index } = document.documentElement.dataset;
  let loading;

  function load() {
    loading ??= new Promise((resolve, reject) => {
      const script = make("script", { src: index });
      script.addEventListener("load", () => resolve(globalThis.searchIndex));
      script.addEventListener("error", reject);
      document.head.append(script);
    });
    return loading;
  }

  // The name counts most, then the address, then everything else that a page says.
  function rank(entry, terms) {
    const title = entry.title.toLowerCase();
    const kind = entry.kind.toLowerCase();
    let total = 0;
    for (const term of terms) {
      if (title.startsWith(term)) total += 8;
      else if (title.includes(term)) total += 5;
      else if (kind.includes(term)) total += 3;
      else if (entry.words.includes(term)) total += 1;
      else return 0;
    }
    return total;
  }

  function show(found, asked) {
    results.replaceChildren(
      ...found.slice(0, MOST_RESULTS).map((entry) => {
        const item = make("li", {});
        const anchor = make("a", { href: root + entry.address }, entry.title);
        anchor.append(make("span", {}, entry.kind));
        item.append(anchor);
        return item;
      }),
    );
    status.textContent = asked ? `${found.length} found` : "";
  }

  async function update() {
    const terms = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const entries = await load();
    const ranked = entries.map((entry) => [terms.length ? rank(entry, terms) : 0, entry]);
    const found = ranked.filter(([points]) => points).sort(([a], [b]) => b - a);
    show(found.map(([, entry]) => entry), terms.length > 0);
  }

  input.addEventListener("input", update);
  search.addEventListener("keydown", (event) => {
    const anchors = [...results.querySelectorAll("a")];
    const at = anchors.indexOf(document.activeElement);
    if (event.key === "Escape") {
      input.value = "";
      show([], false);
      input.focus();
    } else if (event.key === "ArrowDown" && anchors.length) {
      event.preventDefault();
      anchors[Math.min(at + 1, anchors.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      event.preventDefault();
      (anchors[at - 1] ?? input).focus();
    } else if (event.key === "Enter" && document.activeElement === input && anchors.length) {
      anchors[0].click();
    }
  });
  document.addEventListener("click", (event) => {
    if (!search.contains(event.target)) show([], false);
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      input.focus();
    }
  });
  search.hidden = false;
}

document.querySelectorAll("main pre").forEach(addCopyButton);
document.querySelectorAll(".samples").forEach(addTabs);
document.querySelectorAll("search").forEach(addSearch);
