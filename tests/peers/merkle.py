"""A Merkle tree over a list of leaves, and proofs that it continues an older one, as RFC 9162 §2.1 has them. Standard library only."""

import hashlib


def leaf(data):
    return hashlib.sha256(b"\0" + data).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(count):
    """The largest power of two below `count`, which is two or more."""
    return 1 << (count - 1).bit_length() - 1


def root(leaves):
    """§2.1.1, of leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return node(root(leaves[:at]), root(leaves[at:]))


def consistency_proof(older, leaves):
    """§2.1.4.1: from the tree of the first `older` leaves to that of all of them."""
    return subproof(older, leaves, True)


def subproof(older, leaves, is_whole):
    if older == len(leaves):
        return [] if is_whole else [root(leaves)]
    at = split(len(leaves))
    if older <= at:
        return subproof(older, leaves[:at], is_whole) + [root(leaves[at:])]
    return subproof(older - at, leaves[at:], False) + [root(leaves[:at])]


def continues(first, first_root, second, second_root, path):
    """§2.1.4.2, step by step: whether the tree of `second` leaves continues that of `first`."""
    if first == second:
        return first_root == second_root and not path
    if not 0 < first < second or not path:
        return False
    if first & (first - 1) == 0:
        path = [first_root, *path]
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(c, fr), node(c, sr)
            while fn & 1 == 0 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (first_root, second_root, 0)
