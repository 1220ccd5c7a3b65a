"""Momentum Contrast for small images in plain PyTorch: trains and evaluates one model, and knows nothing of studies or clusters."""
