"""The paper's own experiments on any data: ablations, feature maps, generalization (MRFS, supplement)."""
