"""Datasets: decoding, the cache, checks, splits, preprocessing and augmentation.

May import config, device and seed.
"""
