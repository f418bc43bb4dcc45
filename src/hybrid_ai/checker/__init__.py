"""The independent checker: judges certificates and counterexamples and trusts nothing else of this project.

`hybrid_ai.checker.check.check` is the entry point; `python -m hybrid_ai.checker` is the same as a program.
"""
