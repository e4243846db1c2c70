"""Learning MRFS from RGB-thermal pairs: the paper's objective, augmentation, the training loop."""
