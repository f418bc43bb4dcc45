"""Verification of signed evidence with the standard library alone; `verify.py` holds it, unchanged.

Nothing in here imports anything outside the standard library and this package.
"""
