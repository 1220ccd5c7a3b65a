"""Trainers made of plain functions."""
