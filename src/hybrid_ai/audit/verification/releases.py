"""Released versions of the stand-alone verifier."""

# SHA-256 of verify.py (hexadecimal) by version. A release cannot hold its own, which follows from this file
# as well: it is added with the next one, and until then known from where the release is published.
RELEASED: dict[str, str] = {}
