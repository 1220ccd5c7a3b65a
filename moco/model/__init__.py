"""The model: encoders, attention, batch norm, InfoNCE, MoCo itself (moco.py), files of weights.

May import data, config, device, distributed and seed.
"""
