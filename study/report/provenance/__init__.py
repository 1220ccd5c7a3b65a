"""What stands behind the result: threats, deviations from the plan, origin, all runs, and whether
the folder is as it was written. Imports analysis and figures.
"""
