"""Training: the loop that every method shares, MoCo pretraining, training on labels, optimizers,
checkpoints. Imports data and model."""
