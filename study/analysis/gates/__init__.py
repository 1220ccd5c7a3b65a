"""Gates: what must hold before a number may decide a claim. Imports records and comparisons."""
