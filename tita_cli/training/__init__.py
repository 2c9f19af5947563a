"""Training: FAMO, losses, data and synthesis, the trainer and its runs. Needs PyTorch."""
