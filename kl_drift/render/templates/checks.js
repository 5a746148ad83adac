"use strict";
const airflow = window.parent;
const framed = airflow !== window;

// Airflow's own theme, which does not reach into its frames.
function theme() {
  const chosen = framed && airflow.document.documentElement.className;
  const dark = chosen ? /\bdark\b/.test(chosen) : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}
theme();
if (framed) new MutationObserver(theme).observe(airflow.document.documentElement, { attributeFilter: ["class"] });

// A link to a page of Airflow moves Airflow, not the frame.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-airflow]");
  if (!link || !framed || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  airflow.history.pushState(null, "", link.href);
  airflow.dispatchEvent(new PopStateEvent("popstate"));
});

const filter = document.querySelector("#filter");
if (filter) filter.addEventListener("input", () => {
  for (const row of document.querySelectorAll("tbody tr")) row.hidden = !row.textContent.toLowerCase().includes(filter.value.toLowerCase());
});

const island = document.querySelector("#runs-of-columns");
const map = document.querySelector(".heatmap");
if (island && map) {
  const told = JSON.parse(island.textContent);
  const hint = document.querySelector("#hint");
  const at = (event) => {
    const box = map.getBoundingClientRect();
    const place = (part, size, count) => Math.min(count - 1, Math.max(0, Math.floor(part / size * count)));
    return [place(event.clientY - box.top, box.height, told.columns.length), place(event.clientX - box.left, box.width, told.days.length)];
  };
  map.addEventListener("mousemove", (event) => {
    const [column, run] = at(event);
    const kl = told.kl[column][run];
    hint.textContent = `${told.columns[column]}, ${told.days[run]}: ${kl === null ? "not compared" : `KL ${kl} nats`}`;
  });
  map.addEventListener("click", (event) => {
    location.search = new URLSearchParams({ name: told.check, column: told.columns[at(event)[0]] });
  });
}

const form = document.querySelector("form");
if (form) form.elements.verb.addEventListener("change", () => {
  const quiet = form.elements.verb.value === "quiet";
  form.elements.until.hidden = !quiet;
  form.elements.until.required = quiet;
  form.elements.profile.hidden = quiet;
});
if (form) form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const said = form.querySelector("output");
  const answer = await fetch(form.dataset.to, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-KL-Drift": "1" },
    body: JSON.stringify(Object.fromEntries(new FormData(form))),
  });
  if (answer.ok) location.reload();
  else said.textContent = (await answer.json()).detail;
});
