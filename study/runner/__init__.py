"""Ray, and nowhere else: Tune schedules trials, Train runs data-parallel workers.

Imports execution, store and search; the page is redrawn in a process of its own. What is private
to Ray stands in `ray_patches`.
"""
