"""One question a file; each file is a table and offers one name, SPACE."""
