"""Signed evidence: what was done, by whom, in an order that nobody can change afterwards."""
