"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("charts");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const narrow = matchMedia("(max-width: 600px)");
  const coarse = matchMedia("(pointer: coarse)");
  const film = document.getElementById("film");
  const frames = film ? [...film.children] : [];
  const hidden = new Set();
  let cursor = null;

  // Charts: one figure, its parts one below another over the same time.
  const parts = [];
  if (data.shares.length) parts.push({ title: "Share of the pixels [%]", height: 250, shares: true });
  if (data.marks.length) parts.push({ title: "No answer", height: 20, marks: true });
  for (const line of data.lines) parts.push({ title: line.title, height: 105, line });
  const TOP = 34, GAP = 40, BOTTOM = 44;
  const total = TOP + BOTTOM + parts.reduce((sum, part) => sum + part.height, 0) + GAP * (parts.length - 1);

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const mix = (rgb, towards, part) => `rgb(${rgb.map((x) => Math.round(x + (towards - x) * part)).join(",")})`;
  const axis = (i) => (i ? `y${i + 1}` : "y");

  function traces() {
    const all = [], points = data.t.length;
    const mode = points === 1 ? "markers" : "lines";
    parts.forEach((part, i) => {
      const common = { x: data.t, xaxis: "x", yaxis: axis(i), type: "scatter" };
      if (part.shares) {
        for (const share of data.shares) {
          all.push({ ...common, y: share.values, name: share.name, mode, stackgroup: "shares", stackgaps: "interpolate",
            visible: !hidden.has(share.id), fillcolor: mix(share.color, 255, dark.matches ? 0.08 : 0),
            line: { width: points > 2000 ? 0 : 1, color: mix(share.color, dark.matches ? 255 : 0, 0.35) },
            marker: { color: mix(share.color, 0, 0), size: 9 }, hovertemplate: "%{y:.3~g} %" });
        }
      } else if (part.marks) {
        all.push({ ...common, x: data.marks.map((m) => m[0]), y: data.marks.map(() => 0), mode: "markers",
          name: "", text: data.marks.map((m) => m[1]), hovertemplate: "%{text}<extra></extra>",
          marker: { symbol: "line-ns", size: 14, line: { width: 2, color: colour("--bad") } } });
      } else {
        all.push({ ...common, y: part.line.values, name: part.title.split(/[,[]/)[0].trim(), mode, connectgaps: false,
          line: { width: 1.5, color: colour("--accent") }, marker: { color: colour("--accent"), size: 7 },
          hovertemplate: `%{y:.4~g} ${/\[(.*)\]/.exec(part.title)[1]}` });
      }
    });
    return all;
  }

  function layout() {
    const ink = colour("--ink"), quiet = colour("--quiet"), grid = colour("--grid");
    const band = ([from, to], more) => ({ type: "rect", xref: "x", x0: from, x1: to, y0: 0, y1: 1,
      line: { width: 0.5, color: colour("--bad") }, fillcolor: colour("--bad-ground"), ...more });
    const shapes = data.bands.map((times) => band(times, { yref: "paper", layer: "below" }));
    if (data.shares.length) {  // the areas go on below what nobody knows
      shapes.push(...data.bands.map((times) => band(times, { yref: "y domain", layer: "above" })));
    }
    if (cursor !== null) shapes.push({ type: "line", xref: "x", yref: "paper", x0: cursor, x1: cursor, y0: 0, y1: 1,
      line: { width: 1.5, color: ink, dash: "dot" } });
    const result = {
      height: total, margin: { l: narrow.matches ? 40 : 56, r: 16, t: TOP, b: BOTTOM }, showlegend: false,
      paper_bgcolor: colour("--card"), plot_bgcolor: colour("--card"), shapes, annotations: [],
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: quiet },
      hovermode: "x unified", hoversubplots: "axis", dragmode: coarse.matches ? false : "zoom",
      hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--edge"), font: { color: ink, size: 12 } },
      xaxis: { title: { text: "time [s]", standoff: 6 }, gridcolor: grid, zeroline: false, hoverformat: ".2f",
        unifiedhovertitle: { text: "%{x:.2f} s" }, anchor: axis(parts.length - 1), showspikes: true,
        spikemode: "across", spikethickness: 1, spikedash: "solid", spikecolor: quiet,
        spikesnap: "cursor" },
    };
    const inside = total - TOP - BOTTOM;
    let used = 0;
    parts.forEach((part, i) => {
      const upper = 1 - used / inside, lower = Math.max(0, upper - part.height / inside);
      used += part.height + GAP;
      result[i ? `yaxis${i + 1}` : "yaxis"] = { domain: [lower, upper], anchor: "x", gridcolor: grid, zeroline: false,
        fixedrange: true, nticks: part.shares ? 6 : 4, rangemode: part.shares ? "tozero" : "normal",
        ...(part.marks ? { visible: false, range: [-1, 1] } : {}) };
      result.annotations.push({ text: part.title, xref: "paper", yref: "paper", x: 0, y: upper, xanchor: "left",
        yanchor: "bottom", yshift: 5, showarrow: false, font: { size: 13, color: ink } });
    });
    const first = data.t[0], last = data.t[data.t.length - 1];
    result.xaxis.range = last > first ? [first, last] : [first - 1, first + 1];
    if (place.layout) result.xaxis.range = place.layout.xaxis.range.slice();
    return result;
  }

  const draw = () => Plotly.react(place, traces(), layout(), { displayModeBar: false, responsive: true });
  if (place && parts.length) {
    draw();
    dark.addEventListener("change", draw);
    narrow.addEventListener("change", draw);
    place.on("plotly_hover", (event) => near(event.xvals ? event.xvals[0] : event.points[0].x));
  } else if (place) {
    place.remove();
  }

  // Classes: a press hides one, another press brings it back.
  for (const button of document.querySelectorAll("#legend button")) {
    button.addEventListener("click", () => {
      const id = Number(button.dataset.id);
      if (!hidden.delete(id)) hidden.add(id);
      button.setAttribute("aria-pressed", String(!hidden.has(id)));
      draw();
    });
  }

  // Pictures: the one next to the pointer is marked; a click enlarges one and marks its time.
  if (!film) return;
  const large = document.getElementById("large");
  let open = 0;

  function near(seconds) {
    if (!film) return;
    const distance = (frame) => Math.abs(Number(frame.dataset.seconds) - seconds);
    const nearest = frames.reduce((best, frame) => (distance(frame) < distance(best) ? frame : best));
    if (nearest.classList.contains("near")) return;
    frames.forEach((frame) => frame.classList.toggle("near", frame === nearest));
    film.scrollTo({ left: nearest.offsetLeft - film.offsetLeft - (film.clientWidth - nearest.offsetWidth) / 2 });
  }

  function enlarge(number) {
    open = Math.max(0, Math.min(frames.length - 1, number));
    const image = frames[open].querySelector("img");
    document.getElementById("large-picture").src = image.src;
    document.getElementById("large-picture").alt = image.alt;
    document.getElementById("large-text").textContent =
      `${frames[open].querySelector("span").textContent} (${open + 1} of ${frames.length})`;
    cursor = Number(frames[open].dataset.seconds);
    near(cursor);
    if (parts.length) draw();
    if (!large.open) large.showModal();
  }

  frames.forEach((frame, i) => frame.addEventListener("click", () => enlarge(i)));
  document.getElementById("earlier").addEventListener("click", () => enlarge(open - 1));
  document.getElementById("later").addEventListener("click", () => enlarge(open + 1));
  large.addEventListener("click", (event) => { if (event.target === large) large.close(); });
  large.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") enlarge(open - 1);
    if (event.key === "ArrowRight") enlarge(open + 1);
  });
})();
