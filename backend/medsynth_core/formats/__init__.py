"""Files read, written and marked as synthetic; each format is one file."""

from medsynth_core.formats.files import check_output, read, read_mask, suffix, write

__all__ = ["check_output", "read", "read_mask", "suffix", "write"]
