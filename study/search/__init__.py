"""Optuna, and nowhere else: quasi-random points, the adaptive search, importances, optuna.db.
Imports design and store."""
