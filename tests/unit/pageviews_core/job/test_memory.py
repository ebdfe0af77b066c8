from __future__ import annotations

from pageviews_core.job.memory import engine_memory, peak_memory

MIB = 1024**2


def test_the_peak_is_in_bytes_and_never_falls() -> None:
    before = peak_memory()
    bytearray(32 * MIB)
    assert 20 * MIB < before <= peak_memory() < 2**40


def test_the_engine_gets_what_is_left_less_what_it_takes_beyond_its_limit() -> None:
    assert engine_memory(1024 * MIB, taken=324 * MIB) == 600 * MIB


def test_the_engine_gets_enough_to_start_however_little_is_left() -> None:
    assert engine_memory(512 * MIB, taken=600 * MIB) == 128 * MIB
