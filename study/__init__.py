"""Plans, runs, records, compares and reports trials of any trainer; knows no trainer itself."""
