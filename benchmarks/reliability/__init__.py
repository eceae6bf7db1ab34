"""Benchmark of reliability: what the estimator says of wrong input."""
