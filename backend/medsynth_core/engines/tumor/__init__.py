"""Tumor volumes, image and mask together, grown slice by slice (slice-based latent diffusion)."""

from medsynth_core.engines.tumor.engine import ENGINE

__all__ = ["ENGINE"]
