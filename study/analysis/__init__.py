"""From records to numbers and verdicts: statistics, gates, fairness, forecasts. Imports design,
store and search."""
