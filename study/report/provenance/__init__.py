"""What stands behind the result: threats, deviations from the plan, origin, and all runs.

Imports analysis and figures.
"""
