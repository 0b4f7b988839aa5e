"""The seam: one folder (or file) here is one method. See `_base` for what an engine declares."""
