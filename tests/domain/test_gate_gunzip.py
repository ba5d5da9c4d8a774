"""Opening gzip: what comes out is what went in, and a bomb never goes off."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kentongan.domain.gate import Unreadable, gunzip


@given(content=st.binary(max_size=5_000), size=st.integers(1, 700))
def test_what_was_compressed_comes_back_however_it_is_cut(content: bytes, size: int):
    packed = gzip.compress(content)

    chunks = [packed[start : start + size] for start in range(0, len(packed), size)]

    assert gunzip(chunks, len(content)) == content
    assert gunzip(packed, len(content)) == content


def test_several_members_are_one_document():
    assert gunzip(gzip.compress(b"strike ") + gzip.compress(b"the drum"), 100) == b"strike the drum"


@pytest.mark.parametrize("over", [1, 1_000])
def test_one_byte_over_the_limit_is_too_large(over: int):
    with pytest.raises(Unreadable) as caught:
        gunzip(gzip.compress(b"x" * (1_000 + over)), 1_000)

    assert caught.value.too_large


def test_the_limit_counts_all_members_together():
    with pytest.raises(Unreadable) as caught:
        gunzip(gzip.compress(b"x" * 600) * 2, 1_000)

    assert caught.value.too_large


def test_a_bomb_is_refused_without_being_unpacked():
    bomb = gzip.compress(b"\x00" * 200_000_000, compresslevel=1)
    tracemalloc.start()

    with pytest.raises(Unreadable) as caught:
        gunzip(bomb, 1_000_000)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.too_large
    assert peak < 8_000_000


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"not gzip",
        gzip.compress(b"the drum")[:-4],
        gzip.compress(b"the drum")[:12],
        gzip.compress(b"the drum") + b"and more",
        gzip.compress(b"the drum")[:-8] + b"\x00" * 8,
    ],
)
def test_what_is_cut_off_or_corrupt_is_refused(packed: bytes):
    with pytest.raises(Unreadable) as caught:
        gunzip(packed, 1_000)

    assert not caught.value.too_large
    assert [problem.rule for problem in caught.value.problems] == ["gzip"]


@given(packed=st.binary(max_size=300))
def test_random_bytes_open_or_are_refused(packed: bytes):
    try:
        gunzip(b"\x1f\x8b\x08" + packed, 1_000)
    except Unreadable:
        return
