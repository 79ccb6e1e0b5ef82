"use strict";
// Draws the charts in the page's colours, sorts tables, and hands the JSON out. Nothing is fetched.
const dark = matchMedia("(prefers-color-scheme: dark)");
const drawings = new Map(); // of each figure the view that it holds

function look() {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const [text, quiet, line] = ["--text", "--quiet", "--line"].map(colour);
  const axis = { labelColor: quiet, titleColor: text, gridColor: line, domainColor: line, tickColor: line, titleFontWeight: 500 };
  return {
    background: "transparent",
    font: getComputedStyle(document.body).fontFamily,
    view: { stroke: null },
    axis: { ...axis, labelFontSize: 12, titleFontSize: 12 },
    legend: { labelColor: text, titleColor: text, labelFontSize: 12, columns: innerWidth < 600 ? 2 : 3 },
    rule: { color: text },
    bar: { cornerRadiusEnd: 2 },
    range: { category: dark.matches ? PALETTES.dark : PALETTES.light },
  };
}

async function draw() {
  for (const figure of document.querySelectorAll("figure")) {
    const spec = JSON.parse(figure.querySelector(".spec").textContent);
    const options = { mode: "vega-lite", renderer: "svg", actions: false, config: look() };
    drawings.get(figure)?.finalize();
    drawings.set(figure, await vegaEmbed(figure.querySelector(".chart"), spec, options));
  }
  document.documentElement.dataset.drawn = dark.matches ? "dark" : "light";
}

// Numbers before text; what is empty comes last whichever way round.
function compare(one, other, sign) {
  if (one === "" || other === "") return (one === "") - (other === "");
  const [a, b] = [Number(one), Number(other)];
  if (!Number.isNaN(a) && !Number.isNaN(b)) return sign * (a - b);
  if (Number.isNaN(a) !== Number.isNaN(b)) return sign * (Number.isNaN(a) - Number.isNaN(b));
  return sign * one.localeCompare(other);
}

function sort(heading) {
  const order = heading.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const column = heading.cellIndex, body = heading.closest("table").tBodies[0];
  const key = (row) => row.cells[column].dataset.key;
  const sign = order === "ascending" ? 1 : -1;
  body.append(...[...body.rows].sort((one, other) => compare(key(one), key(other), sign)));
  for (const each of heading.parentElement.cells) each.setAttribute("aria-sort", each === heading ? order : "none");
}

function download(button) {
  const raw = JSON.parse(button.closest("section").querySelector(".raw").textContent); // the text of the file
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([raw], { type: "application/json" }));
  link.download = button.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

document.addEventListener("click", (event) => {
  const heading = event.target.closest("th");
  if (heading) sort(heading);
  if (event.target.matches(".download")) download(event.target);
});
dark.addEventListener("change", draw);
draw();
