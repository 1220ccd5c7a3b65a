"""Training: the loop of every method, MoCo pretraining, training on labels, optimizers, checkpoints.

May import data, model, config, device, distributed, schedules and seed.
"""
