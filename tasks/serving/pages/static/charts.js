// Draws the charts of a model's page with plotly, from this server's figures. Colours are those of board.css.
"use strict";
(() => {
  const place = () => document.getElementById("charts");
  if (!place() || !window.Plotly) return;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = {
    responsive: true, displaylogo: false, doubleClick: "reset", showTips: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };
  let figures = null;
  let drawn = "";
  let span = null;

  const faint = (hex, alpha) => `${hex}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;
  const layout = (more) => ({
    margin: { l: 64, r: 12, t: 10, b: 44 }, dragmode: "zoom", hovermode: "x", showlegend: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: colour("text") },
    hoverlabel: { align: "left", bgcolor: colour("page"), bordercolor: colour("recent-line"), font: { color: colour("text") } },
    ...more,
  });
  const axis = (more) => ({
    gridcolor: colour("line"), linecolor: colour("recent-line"), zerolinecolor: colour("recent-line"), automargin: true, ...more,
  });
  // Dates side by side would cover each other on a phone.
  const room = (name) => Math.max(2, Math.floor((document.getElementById(`chart-${name}`)?.clientWidth || 600) / 130));
  const sessions = (name, more) => axis({ type: "category", nticks: Math.min(8, room(name)), tickangle: 0, showgrid: false, ...more });

  const fan = (f, unit) => {
    const x = f.sessions;
    const quiet = { x, mode: "lines", hoverinfo: "skip", line: { width: 0 } };
    const band = (level, alpha) => [
      { ...quiet, y: f[`lower_${level}`] },
      { ...quiet, y: f[`upper_${level}`], fill: "tonexty", fillcolor: faint(colour("inner"), alpha) },
    ];
    const dots = (wanted, symbol, size, shade) => ({
      x: x.filter((_, i) => f.observed[i] !== null && f.outside[i] === wanted),
      y: f.observed.filter((price, i) => price !== null && f.outside[i] === wanted),
      mode: "markers", hoverinfo: "skip", marker: { symbol, size, color: shade, line: { width: 1, color: colour("page") } },
    });
    // A band has no width, and a line no length, at a session that stands alone, as on the first day.
    const known = (at) => f.lower_95[at] !== null && f.lower_95[at] !== undefined;
    const alone = x.map((_, at) => at).filter((at) => known(at) && !known(at - 1) && !known(at + 1));
    const across = (name, size, width, shade) => ({
      x: alone.map((at) => x[at]), y: alone.map((at) => f[name][at]), mode: "markers", hoverinfo: "skip",
      marker: { symbol: "line-ew", size, line: { width, color: colour(shade) } },
    });
    const upright = (level, alpha) => ({
      ...across("median", 20, 2, "inner"),
      error_y: {
        type: "data", symmetric: false, thickness: 20, width: 0, color: faint(colour("inner"), alpha),
        array: alone.map((at) => f[`upper_${level}`][at] - f.median[at]),
        arrayminus: alone.map((at) => f.median[at] - f[`lower_${level}`][at]),
      },
    });
    const traces = [
      ...band(95, 0.2), ...band(80, 0.32), upright(95, 0.2), upright(80, 0.32), across("naive", 30, 1.2, "naive"),
      { x, y: f.naive, mode: "lines", hoverinfo: "skip", line: { width: 1.2, dash: "dot", color: colour("naive") } },
      { x, y: f.median, mode: "lines", line: { width: 2, color: colour("inner") }, text: f.texts, hovertemplate: "%{text}<extra></extra>" },
      dots(false, "circle", 6, colour("text")),
      dots(true, "diamond", 10, colour("alarm")),
    ];
    const shown = span ? Math.min(span, x.length) : x.length;
    const changes = f.versions.filter((one) => x.length - x.indexOf(one.session) <= shown);
    return [traces, layout({
      xaxis: sessions("fan", { range: [x.length - shown - 0.5, x.length - 0.5] }),
      yaxis: axis({ title: { text: unit ? `price (${unit})` : "price" }, range: reach(f, x.length - shown), tickformat: ",~f" }),
      shapes: changes.slice(1).map((one) => ({
        type: "line", xref: "x", yref: "paper", x0: one.session, x1: one.session, y0: 0, y1: 1,
        line: { width: 1, dash: "dash", color: colour("recent-line") },
      })),
      annotations: changes.map((one, i) => ({
        xref: i || shown < x.length ? "x" : "paper", x: i || shown < x.length ? one.session : 0, yref: "paper", y: 1, yanchor: "bottom",
        xanchor: "left", showarrow: false, text: one.name, font: { size: 11, color: colour("quiet") },
      })),
      margin: { l: 64, r: 12, t: 24, b: 44 },
    })];
  };

  const reach = (f, from) => {
    const every = ["lower_95", "upper_95", "lower_80", "upper_80", "median", "naive", "observed"]
      .flatMap((name) => f[name].slice(Math.max(0, from))).filter((price) => price !== null);
    const low = Math.min(...every), high = Math.max(...every), room = (high - low || Math.abs(high) * 0.01 || 1) * 0.05;
    return [low - room, high + room];
  };

  const pit = (p) => [
    [{
      x: p.from.map((from) => from + 0.05), y: p.share.map((share) => 100 * share), width: 0.094, type: "bar",
      marker: { color: colour("outer"), line: { width: 1, color: colour("inner") } },
      text: p.from.map((from, i) => `PIT ${from.toFixed(1)} to ${(from + 0.1).toFixed(1)}: ${p.counts[i]} of ${p.n} sessions`),
      textposition: "none", hovertemplate: "%{text}<extra></extra>",
    }],
    layout({
      xaxis: axis({ title: { text: "PIT" }, range: [0, 1], dtick: 0.2, showgrid: false, fixedrange: true }),
      yaxis: axis({ title: { text: "% of sessions" }, rangemode: "tozero", fixedrange: true }),
      shapes: [[p.expected, "solid"], [p.by_chance[0], "dash"], [p.by_chance[1], "dash"]].map(([at, dash]) => ({
        type: "line", xref: "paper", x0: 0, x1: 1, y0: 100 * at, y1: 100 * at, line: { width: 1.5, dash, color: colour("naive") },
      })),
    }),
  ];

  const score = (s, unit) => [
    [{
      x: s.sessions, y: s.lead, mode: "lines+markers", line: { width: 2, color: colour("inner") }, marker: { size: 4 },
      text: s.texts, hovertemplate: "%{text}<extra></extra>",
    }],
    layout({
      xaxis: sessions("score"),
      yaxis: axis({ title: { text: unit ? `lead (${unit})` : "lead" }, zeroline: true, zerolinewidth: 2 }),
    }),
  ];

  const draw = () => {
    if (!figures) return;
    const made = { fan: figures.fan && fan(figures.fan, figures.unit), pit: figures.pit && pit(figures.pit), score: figures.score && score(figures.score, figures.unit) };
    for (const [name, one] of Object.entries(made)) {
      const where = document.getElementById(`chart-${name}`);
      if (!where) continue;
      where.hidden = !one;
      if (one) window.Plotly.react(where, one[0], one[1], config);
    }
  };

  const load = async () => {
    const { charts, state } = place().dataset;
    if (state === drawn) return;
    const answer = await fetch(charts, { credentials: "same-origin" });
    if (!answer.ok) return;
    figures = await answer.json();
    drawn = state;
    draw();
    document.documentElement.dataset.drawn = state;
  };

  for (const button of document.querySelectorAll("[data-span]")) {
    button.addEventListener("click", () => {
      span = Number(button.dataset.span);
      for (const other of document.querySelectorAll("[data-span]")) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
  }
  dark.addEventListener("change", draw);
  // On paper the colours are those of light, and charts are as wide as the page.
  for (const when of ["beforeprint", "afterprint"]) window.addEventListener(when, draw);
  document.addEventListener("renewed", () => load().catch(() => {}));
  load().catch(() => {});
})();
