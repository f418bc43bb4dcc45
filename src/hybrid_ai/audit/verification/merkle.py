"""Merkle trees over an append-only list of entries, with proofs of inclusion and consistency (RFC 6962)."""

import hashlib
from collections.abc import Iterable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """Hash an entry: SHA-256(0x00 || data) (RFC 6962, section 2.1).

    Sound because: leaves and nodes are hashed with different prefixes, so no entry can pass for a subtree.
    """
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees, each 32 bytes: SHA-256(0x01 || left || right) (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that only grows: it keeps the roots of its full subtrees, one per binary digit of its size."""

    def __init__(self) -> None:
        self._size = 0
        self._subtrees: list[bytes] = []  # largest first

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self._size

    def append(self, leaf: bytes) -> None:
        """Add a leaf at the end.

        Args:
            leaf: its hash, 32 bytes, from ``leaf_hash``.

        Raises:
            ValueError: when it is not 32 bytes long.
        """
        if len(leaf) != HASH_SIZE:
            raise ValueError(
                f"a leaf hash has {HASH_SIZE} bytes, not {len(leaf)}; hash the entry with leaf_hash"
            )
        full = self._size
        while full & 1:
            leaf = node_hash(self._subtrees.pop(), leaf)
            full >>= 1
        self._subtrees.append(leaf)
        self._size += 1

    def root(self) -> bytes:
        """Compute the root over all leaves so far, 32 bytes."""
        if not self._subtrees:
            return EMPTY_ROOT
        *larger, total = self._subtrees
        for subtree in reversed(larger):
            total = node_hash(subtree, total)
        return total


def root(leaf_hashes: Iterable[bytes]) -> bytes:
    """Compute the root of a tree.

    Args:
        leaf_hashes: the leaves' hashes in order, 32 bytes each; may be empty.

    Raises:
        ValueError: when one is not 32 bytes long.

    Source: RFC 6962, section 2.1.
    """
    frontier = Frontier()
    for leaf in leaf_hashes:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaf_hashes: Sequence[bytes], index: int, size: int) -> tuple[bytes, ...]:
    """Prove that a leaf is in the tree of the first ``size`` leaves.

    Args:
        leaf_hashes: at least ``size`` hashes, 32 bytes each.
        index: of the leaf, 0 <= index < size.
        size: of the tree.

    Raises:
        ValueError: when index or size is out of range.

    Source: RFC 6962, section 2.1.1: PATH(index, D[size]), nearest sibling first.
    """
    if not 0 <= index < size <= len(leaf_hashes):
        raise ValueError(f"no leaf {index} in a tree of {size} with {len(leaf_hashes)} leaves at hand")
    proof = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _largest_power_below(end - start)
        if index < middle:
            proof.append(root(leaf_hashes[middle:end]))
            end = middle
        else:
            proof.append(root(leaf_hashes[start:middle]))
            start = middle
    return tuple(reversed(proof))


def consistency_proof(leaf_hashes: Sequence[bytes], old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Prove that the tree of the first ``new_size`` leaves only appends to that of the first ``old_size``.

    Args:
        leaf_hashes: at least ``new_size`` hashes, 32 bytes each.
        old_size: 0 <= old_size <= new_size; the proof is empty for 0 and for new_size.
        new_size: of the larger tree.

    Raises:
        ValueError: when a size is out of range.

    Source: RFC 6962, section 2.1.2: PROOF(old_size, D[new_size]).
    """
    if not 0 <= old_size <= new_size <= len(leaf_hashes):
        raise ValueError(f"no trees of {old_size} and {new_size} with {len(leaf_hashes)} leaves at hand")
    if old_size == 0:
        return ()
    proof = []
    start, end = 0, new_size
    known = True  # the subtree that remains is the whole old tree, whose root the verifier has
    while end != old_size:
        middle = start + _largest_power_below(end - start)
        if old_size <= middle:
            proof.append(root(leaf_hashes[middle:end]))
            end = middle
        else:
            proof.append(root(leaf_hashes[start:middle]))
            start = middle
            known = False
    if not known:
        proof.append(root(leaf_hashes[start:end]))
    return tuple(reversed(proof))


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Say whether a proof shows that a leaf is in a tree.

    Args:
        leaf: its hash, 32 bytes.
        index: of the leaf.
        size: of the tree.
        proof: from ``inclusion_proof``.
        root: of the tree, 32 bytes.

    Returns:
        True when it does; False for anything else, wrong sizes and lengths included.

    Sound because: the proof's length and each side are fixed by index and size, and every element has 32
    bytes, so a second accepted proof or leaf would be a collision of SHA-256.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    position, last = index, size - 1
    total = leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            total = node_hash(sibling, total)
            position, last = _without_missing_levels(position, last)
        else:
            total = node_hash(total, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and total == root


def verify_consistency(
    old_size: int, new_size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether a proof shows that a tree only appends to an older one.

    Args:
        old_size: leaves of the older tree, at least 0.
        new_size: leaves of the newer tree.
        old_root: 32 bytes.
        new_root: 32 bytes.
        proof: from ``consistency_proof``; must be empty when old_size is 0 or new_size.

    Returns:
        True when it does; False for anything else, wrong sizes and lengths included. Anything extends the
        empty tree, whose root must be ``EMPTY_ROOT``.

    Sound because: both roots are recomputed from the same elements, the older one from a part of them.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old_size <= new_size or not _are_hashes(old_root, new_root, *proof):
        return False
    if old_size == new_size:
        return not proof and old_root == new_root and (new_size > 0 or new_root == EMPTY_ROOT)
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    # A full old tree is itself the subtree that the proof starts from.
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not path:
        return False
    old_total = new_total = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_total = node_hash(sibling, old_total)
            new_total = node_hash(sibling, new_total)
            position, last = _without_missing_levels(position, last)
        else:
            new_total = node_hash(new_total, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and old_total == old_root and new_total == new_root


def _largest_power_below(count: int) -> int:
    """Compute the largest power of two smaller than ``count`` >= 2: where RFC 6962 splits a tree."""
    return 1 << (count - 1).bit_length() - 1


def _without_missing_levels(position: int, last: int) -> tuple[int, int]:
    """Climb over the levels at which the right-most subtree has no sibling."""
    while position and not position & 1:
        position >>= 1
        last >>= 1
    return position, last


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)
