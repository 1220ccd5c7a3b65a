"""A study for a paper: tables, paragraphs, figures. Reads results; imports what the page does."""
