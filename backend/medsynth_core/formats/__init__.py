"""Files read, written and marked as what they are; each format is one file."""

from medsynth_core.formats.files import check_output, read, read_mask, suffix, write, write_series
from medsynth_core.formats.masks import Scan, check_mask_output, read_pair, write_mask

__all__ = [
    "Scan",
    "check_mask_output",
    "check_output",
    "read",
    "read_mask",
    "read_pair",
    "suffix",
    "write",
    "write_mask",
    "write_series",
]
