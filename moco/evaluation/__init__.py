"""Evaluation of a frozen encoder: kNN, linear probe, attention maps.

May import data, model, training, config, device, schedules and seed.
"""
