"""A panel as data, and its two renderers: static SVG and Plotly. Imports design."""
