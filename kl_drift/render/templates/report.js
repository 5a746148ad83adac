"use strict";
{
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const figure = (element) => element.closest("figure");
  const cells = (element) => JSON.parse(figure(element).querySelector("script").textContent);
  const specification = JSON.parse(document.getElementById("specification").textContent);
  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
    ast: true, // the page's policy forbids code made from strings
  };

  // A chart is drawn when it comes into view, and again when its width has changed since.
  async function draw(chart) {
    if (chart.dataset.width === String(chart.clientWidth)) return;
    chart.dataset.width = chart.clientWidth;
    const rows = cells(chart).map(([label, reference, current, contribution], cell) => (
      { cell, label, reference, current, contribution }));
    const step = Math.min(44, Math.max(5, (chart.clientWidth - 60) / rows.length));
    const spec = structuredClone(specification);
    spec.datasets = { cells: rows };
    spec.params[0].value = rows.map((row) => row.label);
    for (const panel of spec.vconcat) panel.width = { step };
    if (step < 16) Object.assign(spec.config.axisX, { labelAngle: -90, labelFontSize: 10, labelOverlap: "parity" });
    chart.drawn?.finalize();
    chart.drawn = await vegaEmbed(chart, spec, options);
    chart.tabIndex = chart.scrollWidth > chart.clientWidth ? 0 : -1; // the keyboard can scroll it
  }
  const seen = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && draw(entry.target)),
    { rootMargin: "400px" });
  const watch = () => all(".chart").forEach((chart) => { seen.unobserve(chart); seen.observe(chart); });
  let pause;
  addEventListener("resize", () => { clearTimeout(pause); pause = setTimeout(watch, 150); });
  addEventListener("beforeprint", () => all("[open] .chart").forEach(draw));
  watch();

  // Tables of cells are filled when they are opened.
  const nats = (value) => value === null ? "∞" : value.toFixed(5);
  const percent = (share) => `${(share * 100).toFixed(2)} %`;
  function fill(body) {
    for (const [label, reference, current, contribution, signed] of cells(body)) {
      const row = body.insertRow();
      for (const text of [label, percent(reference), percent(current), nats(contribution), nats(signed)]) {
        row.insertCell().textContent = text;
      }
    }
  }
  document.addEventListener("toggle", (event) => {
    if (event.target.matches(".cells") && !event.target.querySelector("td")) {
      fill(event.target.querySelector("tbody"));
    }
  }, true);

  // A link to a column opens it.
  const open = (hash) => {
    const target = document.getElementById((hash ?? "").slice(1));
    if (target?.matches("details")) target.open = true;
    return target;
  };
  document.addEventListener("click", (event) => open(event.target.closest("a[href^='#']")?.hash));
  open(location.hash)?.scrollIntoView();

  // The filter: a column is listed if its name and its status are asked for.
  const filter = document.getElementById("filter");
  function apply() {
    const name = filter.querySelector("[type=search]").value.trim().toLowerCase();
    const statuses = all(":checked", filter).map((box) => box.value);
    for (const each of all("[data-status]")) {
      each.hidden = !(statuses.includes(each.dataset.status) && each.dataset.name.toLowerCase().includes(name));
    }
    const rows = all("tr[data-status]"), left = rows.filter((row) => !row.hidden).length;
    filter.querySelector("output").textContent = left < rows.length ? `${left} of ${rows.length} columns` : "";
  }
  if (filter) {
    filter.hidden = false;
    filter.addEventListener("input", apply);
    apply();
  }
}
