"""Measurements of the package that are run from a checkout and not installed: ``python -m benchmarks --help``."""
