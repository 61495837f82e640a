"""CRC-32C (Castagnoli, RFC 3720 appendix B.4), fast enough in numpy for files of weights.

A CRC is linear: the state after `a + b` is the state after `a`, moved past len(b) zero bytes, xor
the state of `b` begun at zero. So a long input is cut into lanes that advance together, and the
lanes are joined at the end.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

_POLYNOMIAL = 0x82F63B78  # reflected
_LANE_BYTES = 1024
_MASK_DELTA = 0xA282EAD8


def crc32c(content: bytes | memoryview) -> int:
    """The CRC-32C of some bytes: of b"123456789" it is 0xE3069283."""
    values = np.frombuffer(content, np.uint8)
    state = 0xFFFFFFFF
    lanes = len(values) // _LANE_BYTES
    if lanes:
        columns = np.ascontiguousarray(values[: lanes * _LANE_BYTES].reshape(lanes, -1).T)
        states = _advanced(np.zeros(lanes, np.uint32), columns)
        shift = _shift_tables()
        for lane in states.tolist():
            state = (
                shift[0][state & 0xFF]
                ^ shift[1][state >> 8 & 0xFF]
                ^ shift[2][state >> 16 & 0xFF]
                ^ shift[3][state >> 24]
                ^ lane
            )
    table = _byte_table().tolist()
    for value in values[lanes * _LANE_BYTES :].tolist():
        state = table[(state ^ value) & 0xFF] ^ state >> 8
    return state ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The form in which LevelDB and TensorFlow store a CRC-32C."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _advanced(states: NDArray[np.uint32], columns: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Move each state past its bytes, which stand below each other in `columns`."""
    table = _byte_table()
    for column in columns:
        states = table[(states ^ column) & np.uint32(0xFF)] ^ (states >> np.uint32(8))
    return states


@functools.cache
def _byte_table() -> NDArray[np.uint32]:
    """The state after one byte, from each state below 256."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> np.uint32(1)) ^ (table & np.uint32(1)) * np.uint32(_POLYNOMIAL)
    return table


@functools.cache
def _shift_tables() -> list[list[int]]:
    """What each of the four bytes of a state becomes after `_LANE_BYTES` zero bytes."""
    zeros = np.zeros((_LANE_BYTES, 256), np.uint8)
    byte = np.arange(256, dtype=np.uint32)
    return [_advanced(byte << np.uint32(shift), zeros).tolist() for shift in (0, 8, 16, 24)]
