"""A coarse mask in, a better boundary out (SegRefiner, NeurIPS 2023; a published Gaussian DDPM as a preset)."""

from medsynth_core.engines.refine.engine import ENGINE

__all__ = ["ENGINE"]
