"use strict";
// Charts can be read point by point, with the pointer or with the arrow keys. The numbers come from
// the table below the picture, which is there without scripts too.
function readable(figure) {
  const plot = figure.querySelector(".chart-plot");
  const picture = plot.querySelector("svg");
  const rows = [...figure.querySelectorAll(".chart-numbers tbody tr")].map((row) => ({
    day: row.querySelector("th").textContent,
    value: row.querySelector("td").textContent,
  }));
  if (rows.length === 0) return;
  const bars = figure.dataset.chart === "bars";
  const cursor = document.createElement("div");
  cursor.className = "chart-cursor";
  const tip = document.createElement("output");
  tip.className = "chart-tip";
  plot.append(cursor, tip);
  cursor.hidden = tip.hidden = true;
  let at = rows.length - 1;

  function show(index) {
    at = Math.min(rows.length - 1, Math.max(0, index));
    const share = bars ? (at + 0.5) / rows.length : at / Math.max(1, rows.length - 1);
    const box = picture.getBoundingClientRect();
    const left = box.left - plot.getBoundingClientRect().left + share * box.width;
    cursor.hidden = tip.hidden = false;
    cursor.style.left = `${left}px`;
    cursor.style.height = `${box.height}px`;
    const strong = document.createElement("strong");
    strong.textContent = rows[at].value;
    tip.replaceChildren(strong, ` ${rows[at].day}`);
    const most = plot.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(most, left - tip.offsetWidth / 2))}px`;
  }

  function hide() {
    cursor.hidden = tip.hidden = true;
  }

  picture.tabIndex = 0;
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    show(bars ? Math.floor(share * rows.length) : Math.round(share * (rows.length - 1)));
  });
  picture.addEventListener("pointerleave", () => {
    if (document.activeElement !== picture) hide();
  });
  picture.addEventListener("focus", () => show(at));
  picture.addEventListener("blur", hide);
  picture.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1 };
    if (event.key in steps) {
      event.preventDefault();
      show(steps[event.key]);
    } else if (event.key === "Escape") {
      hide();
    }
  });
}

document.querySelectorAll("figure.chart").forEach(readable);
