"""Several studies side by side: each arm's effect by study, and a pooled one where that is meant.

Imports what the page does.
"""
