"""Runs of any program, judged as those of a study are: their table becomes a study's folder.

Imports every room of study but the runner: no torch and no Ray is needed.
"""
