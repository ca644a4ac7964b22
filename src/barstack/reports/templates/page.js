"use strict";
// Draws each chart when it is first seen, and keeps horizon and colours the same across the page.
{
  const DARK = JSON.parse(document.getElementById("dark-colours").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const OPTIONS = { displayModeBar: false, responsive: true };
  const PRINTED_WIDTH = 660;
  let printing = false;

  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const key = (trace) => trace.legendgroup || trace.name;

  function read(chart) {
    let text = chart.querySelector("script").textContent;
    if (dark.matches && !printing)
      text = text.replace(/#[0-9a-f]{6}/g, (colour) => DARK[colour] ?? colour);
    return JSON.parse(text);
  }

  function swatch(trace) {
    const drawing = document.createElement("span");
    drawing.className = "swatch";
    const { color, width, dash } = { ...trace.marker, ...trace.line };
    drawing.style.color = color;
    if (trace.meta.swatch !== "line") drawing.textContent = trace.meta.swatch;
    else
      Object.assign(drawing.style, {
        width: "1.6em",
        borderTop: `${width}px ${dash === "solid" ? "solid" : dash === "dot" ? "dotted" : "dashed"}`,
      });
    return drawing;
  }

  function legend(chart, figure) {
    const list = chart.querySelector(".legend");
    const traces = new Map(figure.data.filter((t) => t.meta).map((t) => [key(t), t]));
    const shown = (trace) => chart.shown?.get(key(trace)) ?? trace.visible !== "legendonly";
    chart.shown = new Map([...traces].map(([name, trace]) => [name, shown(trace)]));
    list.replaceChildren(
      ...[...traces].map(([name, trace]) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("aria-pressed", chart.shown.get(name));
        // plotly has names as HTML; the parser of a document that is never shown undoes that.
        const plain = new DOMParser().parseFromString(trace.name, "text/html").body.textContent;
        button.append(swatch(trace), plain);
        button.addEventListener("click", () => {
          chart.shown.set(name, !chart.shown.get(name));
          draw(chart);
        });
        return button;
      }),
    );
    for (const trace of figure.data)
      if (trace.meta) trace.visible = chart.shown.get(key(trace)) ? true : "legendonly";
  }

  function draw(chart) {
    const figure = read(chart);
    legend(chart, figure);
    if (printing) figure.layout.width = PRINTED_WIDTH;
    // A finger that drags means to scroll.
    if (window.matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false;
    Plotly.react(chart.querySelector(".plot"), figure.data, figure.layout, OPTIONS);
  }

  const panels = all(".panel");
  let horizon = document.body.dataset.horizon;

  function show() {
    for (const button of all(".tabs button"))
      button.setAttribute("aria-pressed", button.dataset.horizon === horizon);
    for (const panel of panels) {
      const always = panel.dataset.horizon === undefined;
      panel.hidden = !printing && !always && panel.dataset.horizon !== horizon;
      if (!panel.hidden) all(".chart", panel).forEach(draw);
    }
  }

  for (const button of all(".tabs button"))
    button.addEventListener("click", () => {
      // Other panels may differ in height: keep the button under the finger.
      const before = button.getBoundingClientRect().top;
      horizon = button.dataset.horizon;
      show();
      window.scrollBy(0, button.getBoundingClientRect().top - before);
    });

  const guide = document.querySelector("#guide details");
  const openGuide = () => (guide.open ||= printing || location.hash === "#guide");
  window.addEventListener("hashchange", openGuide);
  window.addEventListener("beforeprint", () => ((printing = true), openGuide(), show()));
  window.addEventListener("afterprint", () => ((printing = false), show()));
  dark.addEventListener("change", show);
  openGuide();
  show();
}
