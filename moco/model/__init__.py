"""The model: encoders, attention, batch norm, InfoNCE, MoCo itself (moco.py), and weights from
files. Imports data."""
