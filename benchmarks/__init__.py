"""Measured figures: speed, quality of what is synthesized, gain by refining. Each prints a table and writes runs/bench/NAME.json.

make bench, make bench-quality, make bench-refine
"""
