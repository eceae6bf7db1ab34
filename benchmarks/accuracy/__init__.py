"""The accuracy benchmark: models, protocols, and their comparison on subjects that were left out."""
