"""Learning a model from a folder of images and masks."""
