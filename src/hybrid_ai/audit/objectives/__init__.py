"""Objectives of standards and regulations, the evidence that a dossier offers for them, and its argument."""
