"""Paint a mask, get an image: Siamese-Diffusion (CVPR 2025, arXiv 2505.06068) on a compact backbone."""

from medsynth_core.engines.synthesize.engine import ENGINE

__all__ = ["ENGINE"]
