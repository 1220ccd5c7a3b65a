"""One section of the page a file; each makes its own panels and tables."""
