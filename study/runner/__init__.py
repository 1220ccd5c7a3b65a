"""Ray, and nowhere else: Tune schedules trials, Train runs data-parallel workers. Imports
execution, search and report."""
