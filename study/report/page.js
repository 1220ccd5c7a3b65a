/* Optional: the page is whole without it. Inflates Plotly, draws each panel over its static plot, follows the theme. */
(() => {
  const root = document.documentElement, button = document.querySelector(".theme"), wish = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : wish.matches;
  const label = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch {}
  button.hidden = false; label();
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; label(); repaint(); try { localStorage.setItem("theme", root.dataset.theme); } catch {} });
  wish.addEventListener("change", () => { label(); repaint(); });

  const panels = JSON.parse(document.getElementById("panels").textContent);
  const token = name => getComputedStyle(root).getPropertyValue(name).trim();
  const config = { displayModeBar: false, responsive: true };

  /* Tables of results sort by a column and are saved as CSV; a plot is saved as SVG. */
  const plain = text => text.replace(/−/g, "-").replace(/(\d),(?=\d{3})/g, "$1");
  const number = text => { const value = parseFloat(text.replace(/,/g, "").replace("−", "-")); return isNaN(value) ? null : value; };
  function sortBy(table, column, head) {
    const up = head.getAttribute("aria-sort") !== "ascending", body = table.tBodies[0];
    const key = row => row.cells[column] ? row.cells[column].textContent.trim() : "";
    const order = (a, b) => { const x = number(a), y = number(b); return x !== null && y !== null ? x - y : a.localeCompare(b); };
    const last = text => number(text) === null && /^(–|)$/.test(text);
    const compare = (a, b) => last(a) - last(b) || (up ? 1 : -1) * order(a, b);
    const rows = [...body.rows].sort((a, b) => compare(key(a), key(b)));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    body.append(...rows);
  }
  function save(name, type, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    URL.revokeObjectURL(link.href);
  }
  function addButton(place, words, act) {
    const save = document.createElement("button");
    Object.assign(save, { type: "button", className: "save", textContent: words });
    save.addEventListener("click", act);
    place.append(save);
  }
  for (const table of document.querySelectorAll("main table:not(.ledger)")) {
    if (table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const words = head.textContent.trim();
      if (!words) return;
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "sort", textContent: words, title: "Sort by this column" });
      button.addEventListener("click", () => sortBy(table, column, head));
      head.replaceChildren(button);
    });
    const quote = text => /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const csv = () => [...table.rows].map(row => [...row.cells].map(cell => quote(plain(cell.textContent.trim()))).join(",")).join("\n") + "\n";
    const figure = table.closest("figure, section"), tables = [...figure.querySelectorAll("table")];
    const name = figure.id + (tables.length > 1 ? `-${tables.indexOf(table) + 1}` : "");
    addButton(table.closest(".scroll").parentNode, "Save this table as CSV", () => save(`${name}.csv`, "text/csv", csv()));
  }

  /* A reader may hide arms in figures and tables; verdicts stay as they are. */
  const off = new Set(), shown = document.querySelector(".arms");
  function show(arm, on) {
    on ? off.delete(arm) : off.add(arm);
    const of = CSS.escape(arm), places = "main section:not(#verdict):not(#four)";
    for (const part of document.querySelectorAll(`${places} .plot .${of}`)) part.style.display = on ? "" : "none";
    for (const name of document.querySelectorAll(`${places} tbody th > .name.${of}`)) name.closest("tr").hidden = !on;
    for (const name of document.querySelectorAll(`${places} .panel > h4 > .name.${of}`)) name.closest(".panel").hidden = !on;
    repaint();
  }
  if (shown) {
    shown.hidden = false;
    shown.addEventListener("change", event => show(event.target.value, event.target.checked));
  }

  function painted(figure) {
    const copy = structuredClone(figure), paper = token("--paper"), faint = +token("--faint"), veil = +token("--veil");
    for (const trace of copy.data) {
      const { arm, part } = trace.meta, colour = token("--" + arm);
      trace.visible = !off.has(arm);
      if (part === "line") trace.line.color = colour;
      if (part === "band") { trace.fillcolor = colour; trace.opacity = veil; }
      if (!trace.marker) continue;
      if (part === "ring") trace.marker.line.color = token("--ink");
      else if (part === "hollow") { trace.marker.color = paper; trace.marker.line.color = colour; }
      else if (part === "cross") trace.marker.line.color = colour;
      else trace.marker.color = colour;
      if (part === "dot") trace.marker.opacity = faint;
      if (part === "mean") trace.marker.line.color = paper;
    }
    const layout = copy.layout;
    layout.font.color = token("--ink-2");
    layout.hoverlabel = { bgcolor: paper, bordercolor: token("--ink-3"), font: { color: token("--ink") } };
    for (const axis of [layout.xaxis, layout.yaxis]) {
      if (axis.linecolor) axis.linecolor = axis.tickcolor = token("--ink-3");
      if (axis.title) axis.title.font.color = token("--ink-2");
      if (axis.gridcolor) axis.gridcolor = token("--grid");
    }
    for (const shape of layout.shapes || []) {
      if (shape.name === "zone") shape.fillcolor = token("--shade");
      else shape.line.color = token({ zero: "--ink", grid: "--grid" }[shape.name] || "--ink-3");
    }
    layout.annotations = (layout.annotations || []).filter(note => !off.has(note.name));
    for (const note of layout.annotations) note.font = { color: note.name === "words" ? token("--ink-2") : token(`--${note.name}-text`) };
    return copy;
  }

  const drawn = [];
  async function repaint() {
    for (const [chart, figure] of drawn) { const { data, layout } = painted(figure); await Plotly.react(chart, data, layout, config); }
  }

  async function inflate() {
    const packed = Uint8Array.from(atob(document.getElementById("plotly").textContent), c => c.charCodeAt(0));
    const text = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
  }

  async function draw() {
    await inflate();
    for (const place of document.querySelectorAll("[data-panel]")) {
      const figure = panels[place.dataset.panel], chart = place.querySelector(".chart");
      if (!figure) continue;
      const { data, layout } = painted(figure);
      chart.style.setProperty("--h", layout.height + "px");
      place.classList.add("live");
      try {
        await Plotly.newPlot(chart, data, layout, config);
        drawn.push([chart, figure]);
        addButton(place, "Save as SVG", () => Plotly.downloadImage(chart, { format: "svg", filename: place.dataset.panel, width: chart.clientWidth, height: layout.height }));
      }
      catch (error) { place.classList.remove("live"); console.error(error); }
      await new Promise(done => setTimeout(done));
    }
  }
  if ("DecompressionStream" in window && Object.keys(panels).length) draw();
})();
