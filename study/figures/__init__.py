"""A panel as data, and its renderers: static SVG, Plotly, Matplotlib for papers. Imports design."""
