"""Search, then check: the only place that calls both the prover and the independent checker.

Import its modules directly (`hybrid_ai.pipeline.verify`): nothing is imported here, so that each loads only
what it needs.
"""
