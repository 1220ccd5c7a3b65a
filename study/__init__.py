"""Plans, runs, records, compares and reports trials of any training generator; knows nothing of what is trained."""
