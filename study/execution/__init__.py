"""One attempt at one trial, without Ray: its record, its lock, and a request to stop. Imports
design and store."""
