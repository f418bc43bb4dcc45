"""Sizes above which a model is refused before anything is allocated."""

from __future__ import annotations

MAX_FILE_BYTES = 2**30 - 1
MAX_RANK = 16
MAX_ELEMENTS = 100_000  # of a tensor that depends on the input
MAX_CONSTANT_ELEMENTS = 2_000_000
MAX_FOLDED_ELEMENTS = 2_000_000  # of a constant computed element by element in rational arithmetic
MAX_PRODUCTS = 2**26  # of one matrix product in rational arithmetic
MAX_TERMS = 2**25  # non-zero coefficients of one tensor
MAX_STAGE_ENTRIES = 2**27  # matrix entries of all stages together (1 GiB of doubles)
MAX_BITS = 2**16  # of a numerator or denominator
MAX_CONSTANT_BITS = 4096  # of a numerator or denominator of a computed constant or coefficient
