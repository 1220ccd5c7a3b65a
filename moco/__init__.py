"""Momentum Contrast for small images in plain PyTorch; knows nothing of studies or clusters."""
