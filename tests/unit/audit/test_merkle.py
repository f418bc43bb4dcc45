"""RFC 6962 trees against published roots, a recursive reference, and changed proofs."""

import hashlib

import pytest

from hybrid_ai.audit.verification.merkle import (
    EMPTY_ROOT,
    Frontier,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)

SIZES = range(65)
LEAVES = [leaf_hash(b"entry %d" % number) for number in range(64)]

# Inputs and roots of the reference tree of Certificate Transparency (google/certificate-transparency,
# merkletree tests; the same in transparency-dev/merkle, testonly/constants.go).
PUBLISHED_INPUTS = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
PUBLISHED_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PUBLISHED_INCLUSION = {  # (index, size): proof
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
PUBLISHED_CONSISTENCY = {  # (old size, new size): proof
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


# The definitions of RFC 6962, sections 2.1 to 2.1.2, as they stand there: recursive, over leaf hashes.
def split(count):
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def mth(leaves):
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return hashlib.sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m, leaves, complete):
    if m == len(leaves):
        return [] if complete else [mth(leaves)]
    k = split(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], complete), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


ROOTS = [mth(LEAVES[:size]) for size in SIZES]


def changed_bit(data, bit):
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


def mutations(proof, bits):
    """Proofs unlike this one: one of the bits changed, an element dropped, doubled, added, moved, resized."""
    proof = list(proof)
    for position, element in enumerate(proof):
        for bit in bits:
            yield [*proof[:position], changed_bit(element, bit), *proof[position + 1 :]]
        yield [*proof[:position], *proof[position + 1 :]]
        yield [*proof[:position], element, *proof[position:]]
        yield [*proof[:position], element[:-1], *proof[position + 1 :]]
        yield [*proof[:position], element + b"\x00", *proof[position + 1 :]]
        if position:
            yield [*proof[: position - 1], element, proof[position - 1], *proof[position + 1 :]]
    yield [*proof, bytes(32)]
    yield [bytes(32), *proof]
    yield [*proof, b""]


def test_published_roots():
    leaves = [leaf_hash(bytes.fromhex(data)) for data in PUBLISHED_INPUTS]
    frontier = Frontier()
    for size, expected in enumerate(PUBLISHED_ROOTS):
        assert frontier.size == size
        assert frontier.root().hex() == root(leaves[:size]).hex() == expected
        if size < len(leaves):
            frontier.append(leaves[size])


def test_published_proofs():
    leaves = [leaf_hash(bytes.fromhex(data)) for data in PUBLISHED_INPUTS]
    for (index, size), proof in PUBLISHED_INCLUSION.items():
        assert [element.hex() for element in inclusion_proof(leaves, index, size)] == proof
    for (old_size, new_size), proof in PUBLISHED_CONSISTENCY.items():
        assert [element.hex() for element in consistency_proof(leaves, old_size, new_size)] == proof


def test_roots_are_those_of_the_definition():
    frontier = Frontier()
    for size in SIZES:
        assert (frontier.size, frontier.root(), root(LEAVES[:size])) == (size, ROOTS[size], ROOTS[size])
        if size < len(LEAVES):
            frontier.append(LEAVES[size])


def test_inclusion_proofs_are_those_of_the_definition_and_verify():
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(LEAVES, index, size)
            assert list(proof) == path(index, LEAVES[:size])
            assert verify_inclusion(LEAVES[index], index, size, proof, ROOTS[size])


def test_consistency_proofs_are_those_of_the_definition_and_verify():
    for new_size in SIZES:
        assert consistency_proof(LEAVES, 0, new_size) == ()
        for old_size in range(1, new_size + 1):
            proof = consistency_proof(LEAVES, old_size, new_size)
            assert list(proof) == subproof(old_size, LEAVES[:new_size], True)
            assert verify_consistency(old_size, new_size, ROOTS[old_size], ROOTS[new_size], proof)


def test_no_changed_inclusion_proof_verifies():
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(LEAVES, index, size)
            for changed in mutations(proof, [(17 * index + 31 * size) % 256]):
                assert not verify_inclusion(LEAVES[index], index, size, changed, ROOTS[size])


def test_no_inclusion_proof_verifies_for_another_leaf_index_or_root():
    for size in SIZES:
        for index in range(size):
            proof = inclusion_proof(LEAVES, index, size)
            leaf, total = LEAVES[index], ROOTS[size]
            assert not verify_inclusion(changed_bit(leaf, index), index, size, proof, total)
            assert not verify_inclusion(leaf, index, size, proof, changed_bit(total, size))
            assert not verify_inclusion(leaf, index, size, proof, total + b"\x00")
            for other in {*range(size), -1, size, size + 1} - {index}:
                assert not verify_inclusion(leaf, other, size, proof, total)


def test_no_changed_consistency_proof_verifies():
    for new_size in SIZES:
        for old_size in range(new_size + 1):
            proof = consistency_proof(LEAVES, old_size, new_size)
            roots = ROOTS[old_size], ROOTS[new_size]
            for changed in mutations(proof, [(13 * old_size + 7 * new_size) % 256]):
                assert not verify_consistency(old_size, new_size, *roots, changed)


def test_no_consistency_proof_verifies_for_other_roots_or_an_other_old_size():
    for new_size in SIZES:
        for old_size in range(1, new_size + 1):
            proof = consistency_proof(LEAVES, old_size, new_size)
            old, new = ROOTS[old_size], ROOTS[new_size]
            assert not verify_consistency(old_size, new_size, changed_bit(old, old_size), new, proof)
            assert not verify_consistency(old_size, new_size, old, changed_bit(new, new_size), proof)
            assert not verify_consistency(old_size, new_size, old + b"\x00", new, proof)
            for other in {*range(-1, new_size + 2)} - {old_size}:
                assert not verify_consistency(other, new_size, old, new, proof), (other, old_size, new_size)


@pytest.mark.parametrize("size", [5, 8, 13, 32, 63])
def test_every_single_changed_bit_of_a_proof_is_refused(size):
    for index in (0, size // 2, size - 1):
        for changed in mutations(inclusion_proof(LEAVES, index, size), range(256)):
            assert not verify_inclusion(LEAVES[index], index, size, changed, ROOTS[size])
    for old_size in (1, size // 2, size - 1):
        roots = ROOTS[old_size], ROOTS[size]
        for changed in mutations(consistency_proof(LEAVES, old_size, size), range(256)):
            assert not verify_consistency(old_size, size, *roots, changed)


def test_trees_that_are_empty_or_equal():
    assert ROOTS[0] == EMPTY_ROOT
    assert verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, ())
    assert not verify_consistency(0, 0, ROOTS[1], ROOTS[1], ())
    assert verify_consistency(0, 5, EMPTY_ROOT, ROOTS[5], ())
    assert not verify_consistency(0, 5, ROOTS[1], ROOTS[5], ())
    assert not verify_consistency(5, 5, ROOTS[5], ROOTS[6], ())
    assert not verify_consistency(5, 5, ROOTS[5], ROOTS[5], [ROOTS[5]])
    assert not verify_consistency(6, 5, ROOTS[6], ROOTS[5], ())
    assert not verify_inclusion(ROOTS[1], 0, 0, (), EMPTY_ROOT)


def test_an_entry_cannot_pass_for_a_subtree():
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right)
    assert leaf_hash(b"x") == hashlib.sha256(b"\x00x").digest()
    # Without the check of lengths the boundary between leaf and sibling could be shifted.
    assert not verify_inclusion(left + right[:1], 0, 2, [right[1:]], ROOTS[2])


@pytest.mark.parametrize(("index", "size"), [(-1, 4), (4, 4), (0, 0), (0, 65)])
def test_an_inclusion_proof_out_of_range_is_not_made(index, size):
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(LEAVES, index, size)


@pytest.mark.parametrize(("old_size", "new_size"), [(-1, 4), (5, 4), (1, 65)])
def test_a_consistency_proof_out_of_range_is_not_made(old_size, new_size):
    with pytest.raises(ValueError, match="no trees"):
        consistency_proof(LEAVES, old_size, new_size)


@pytest.mark.parametrize("leaf", [b"", b"raw entry", bytes(33)])
def test_what_is_no_hash_is_not_appended(leaf):
    with pytest.raises(ValueError, match="leaf_hash"):
        Frontier().append(leaf)
