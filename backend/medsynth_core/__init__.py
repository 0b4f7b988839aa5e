"""MedSynth: synthetic medical images with masks, through one shared local service."""

__version__ = "0.1.0"
