"""Measured figures: `make bench` (speed) and `make bench-quality`. Each prints a table and writes runs/bench/NAME.json."""
