"""Rig files: proposed from recordings, bags, topics or answers, checked against sensors, and drawn."""
