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

  function painted(figure) {
    const copy = structuredClone(figure), paper = token("--paper"), faint = +token("--faint"), veil = +token("--veil");
    for (const trace of copy.data) {
      const { arm, part } = trace.meta, colour = token("--" + arm);
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
    for (const note of layout.annotations || []) note.font = { color: note.name === "words" ? token("--ink-2") : token(`--${note.name}-text`) };
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
      try { await Plotly.newPlot(chart, data, layout, config); drawn.push([chart, figure]); }
      catch (error) { place.classList.remove("live"); console.error(error); }
      await new Promise(done => setTimeout(done));
    }
  }
  if ("DecompressionStream" in window && Object.keys(panels).length) draw();
})();
