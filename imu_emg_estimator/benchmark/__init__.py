"""The accuracy benchmark: models, protocols, and their comparison on wearers that were left out."""
