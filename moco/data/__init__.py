"""Datasets: decoded once into a cache, split by seed, checked, and augmented into views. Imports
config, seed and device."""
