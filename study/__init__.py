"""Plans, runs, records, compares and reports trials of any trainer; knows nothing of MoCo."""
