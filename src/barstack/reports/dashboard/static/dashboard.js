/* The page is complete without this. It draws charts, follows changes, and applies filters at once. */
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const charts = new Map(); // element -> uPlot
  const served = new Map(); // id -> what the server sent last

  const hue = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const faint = (colour) => colour + "55";

  // Charts

  const axes = (more) => {
    const plain = {
      stroke: hue("--muted"), font: "11px system-ui, sans-serif",
      grid: { stroke: hue("--grid"), width: 1 }, ticks: { show: false },
    };
    return [{ ...plain, size: 30, ...more[0] }, { ...plain, size: 50, ...more[1] }];
  };
  const plain = (box) => ({
    width: Math.max(box.clientWidth, 120), height: Math.max(box.clientHeight, 120),
    padding: [10, 14, 0, 0], legend: { show: false }, cursor: { drag: { x: false, y: false } },
  });

  const clock = (u, moments) => { // in UTC, as all times of the page
    const days = moments[moments.length - 1] - moments[0] > 2 * 86400;
    return moments.map((each) => new Date(each * 1000).toISOString().slice(days ? 5 : 11, days ? 10 : 16));
  };

  const makers = {
    pace(box, data) {
      const step = (colour) => ({
        stroke: colour, width: 2, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }),
      });
      return [
        { ...plain(box), axes: axes([{ space: 60, values: clock }, {}]), scales: { y: { range: (u, low, high) => [0, Math.max(high, 1) * 1.05] } },
          series: [{}, step(hue("--done")), step(hue("--bad"))] },
        [data.at, data.completed, data.failed],
      ];
    },
    curve(box, data) {
      const series = data.lines.map((line) => {
        const colour = hue("--c" + line.colour);
        return line.fold === null
          ? { stroke: colour, width: 2.5, points: { show: data.epochs.length === 1 } }
          : { stroke: faint(colour), width: 1, points: { show: false } };
      });
      return [
        { ...plain(box), scales: { x: { time: false } },
          axes: axes([{ incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }, { size: 62 }]), series: [{}, ...series] },
        [data.epochs, ...data.lines.map((line) => line.y)],
      ];
    },
    scatter(box, data) {
      const note = box.closest("section").querySelector("[data-hover]");
      const first = note.textContent;
      let near = null;
      const find = (u) => { // the closest point, within 24 pixels
        const { left, top } = u.cursor;
        near = null;
        let best = 24 * 24;
        if (left >= 0) {
          for (let i = 0; i < data.x.length; i++) {
            const across = u.valToPos(data.x[i], "x") - left;
            if (across * across > best) continue;
            for (const each of data.series) {
              if (each.y[i] === null) continue;
              const down = u.valToPos(each.y[i], "y") - top;
              const far = across * across + down * down;
              if (far < best) { best = far; near = { i, y: each.y[i] }; }
            }
          }
        }
        note.textContent = near === null ? first
          : `${data.names[near.i]}: accuracy ${near.y.toFixed(2)} %, RMSE ${data.x[near.i].toFixed(2)} bps`;
      };
      box.onclick = () => {
        if (near !== null) {
          const sweep = new URLSearchParams(location.search).get("sweep");
          location.assign("/experiments/" + encodeURIComponent(data.ids[near.i])
            + (sweep ? "?sweep=" + encodeURIComponent(sweep) : ""));
        }
      };
      const series = data.series.map((each) => {
        const colour = hue("--c" + each.colour);
        return { stroke: colour, paths: () => null, points: { show: true, size: 5, width: 0, fill: colour + "bb", stroke: colour } };
      });
      const wide = (u, low, high) => {
        const margin = 0.05 * (high - low) || 1;
        return [low - margin, high + margin];
      };
      return [
        { ...plain(box), scales: { x: { time: false, range: wide }, y: { range: wide } },
          cursor: { drag: { x: false, y: false }, points: { show: false } },
          axes: axes([{ values: (u, ticks) => ticks.map((each) => each + (each === ticks[ticks.length - 1] ? " bps" : "")) },
            { values: (u, ticks) => ticks.map((each) => each + " %") }]),
          hooks: { setCursor: [find] }, series: [{}, ...series] },
        [data.x, ...data.series.map((each) => each.y)],
      ];
    },
  };

  const draw = (box) => {
    if (!window.uPlot) return;
    charts.get(box)?.destroy();
    const [options, data] = makers[box.dataset.chart](box, JSON.parse(box.nextElementSibling.textContent));
    charts.set(box, new uPlot(options, data, box));
  };
  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = charts.get(target);
      if (chart && target.clientWidth > 0
        && (chart.width !== target.clientWidth || chart.height !== target.clientHeight)) {
        chart.setSize({ width: target.clientWidth, height: target.clientHeight });
      }
    }
  });
  const drawAll = (within) => {
    for (const box of within.querySelectorAll("[data-chart]")) { draw(box); sizes.observe(box); }
  };
  const forget = () => {
    for (const [box, chart] of charts) {
      if (!box.isConnected) { chart.destroy(); sizes.unobserve(box); charts.delete(box); }
    }
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));

  // Changes

  const takeOver = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const old = document.getElementById(part.id);
      if (!old || served.get(part.id) === part.innerHTML) continue;
      served.set(part.id, part.innerHTML);
      const active = old.contains(document.activeElement) ? document.activeElement : null;
      const key = active && (active.id ? "#" + CSS.escape(active.id)
        : active.getAttribute("href") ? `a[href="${CSS.escape(active.getAttribute("href"))}"]` : null);
      const scrolled = [...old.querySelectorAll(".scroll, pre")].map((each) => [each.scrollLeft, each.scrollTop]);
      old.replaceChildren(...part.childNodes);
      [...old.querySelectorAll(".scroll, pre")].forEach((each, i) => {
        if (scrolled[i]) [each.scrollLeft, each.scrollTop] = scrolled[i];
      });
      if (key) old.querySelector(key)?.focus({ preventScroll: true });
      drawAll(old);
    }
    forget();
  };

  const light = document.getElementById("link");
  const show = (state, text) => { light.dataset.state = state; if (light.textContent !== text) light.textContent = text; };
  let busy = false, again = false;
  const follow = async () => {
    if (document.hidden) { again = true; return; }
    if (busy) { again = true; return; }
    busy = true;
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) { takeOver(await answer.text()); show("on", "live"); }
      else show("lost", "database unreadable");
    } catch { show("lost", "reconnecting"); }
    await new Promise((done) => setTimeout(done, 900)); // calm: at most once a second
    busy = false;
    if (again) follow();
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden && again) follow(); });

  const events = new EventSource("/events");
  events.addEventListener("open", () => show("on", "live"));
  events.addEventListener("change", follow);
  events.addEventListener("error", () => show("lost", "reconnecting"));
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

  // Filters

  for (const form of document.querySelectorAll("[data-filters]")) {
    const go = () => {
      const given = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
      const query = given.toString();
      location.assign(location.pathname + (query ? "?" + query : ""));
    };
    form.addEventListener("change", go);
    form.addEventListener("submit", (event) => { event.preventDefault(); go(); });
  }

  for (const part of document.querySelectorAll("[data-live]")) served.set(part.id, part.innerHTML);
  drawAll(document);
})();
