"""Nuclei with histology: structure first, image second (NuDiff)."""

from medsynth_core.engines.nuclei.engine import ENGINE

__all__ = ["ENGINE"]
