"""Certify systems that pair a neural model with symbolic rules."""
