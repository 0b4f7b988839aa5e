"""Measured figures: `make bench` (speed), `make bench-quality`, `make bench-refine`. Each prints a table and writes runs/bench/NAME.json."""
