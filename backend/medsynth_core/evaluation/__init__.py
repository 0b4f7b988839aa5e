"""Measuring what generators make, with judges trained on real images only (segmenter, feature network) and a baseline."""
