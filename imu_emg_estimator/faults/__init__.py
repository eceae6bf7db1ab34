"""Faults of IMUs, their clocks and their transport, put into a stream of messages on purpose."""
