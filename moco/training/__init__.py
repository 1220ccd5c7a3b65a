"""Training: the loop of every method, MoCo pretraining, labels, optimizers, checkpoints.

May import data, model, config, device, distributed, schedules and seed.
"""
