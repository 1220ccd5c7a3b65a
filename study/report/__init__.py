"""The page: its sections, their sentences and its template. Imports analysis and figures."""
