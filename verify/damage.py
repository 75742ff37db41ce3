"""Single-bit damage: flips each bit of a part of a message and asks a receiver whether it notices."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

SECONDS = 20
"""A damaged message may run long; a receiver that is still at it then has reported over-limit, which is
noticed.
"""


@dataclass
class Damage:
    """What became of the flips: ``found`` counts them by verdict; ``unnoticed`` lists the bits that made no
    difference.
    """

    found: Counter[str] = field(default_factory=Counter)
    unnoticed: list[int] = field(default_factory=list)

    @property
    def tried(self) -> int:
        """The number of bits flipped."""
        return self.found.total() + len(self.unnoticed)


def flipped(message: bytes, bit: int) -> bytes:
    r"""Return the message with one bit inverted; bit 0 is the highest of the first byte.

    >>> flipped(b"\x00", 1).hex()
    '40'
    """
    byte = bit // 8
    return message[:byte] + bytes([message[byte] ^ 0x80 >> bit % 8]) + message[byte + 1 :]


def part(message: bytes, bits: int) -> bytes:
    r"""Return the first bits of a message as a message of its own, filled up with zeros.

    >>> part(b"\xff", 3).hex()
    'e0'
    """
    data = bytearray(message[: (bits + 7) // 8])
    if bits % 8:
        data[-1] &= 0xFF00 >> bits % 8 & 0xFF
    return bytes(data)


def flip_each(command: Sequence[str], message: bytes, bits: Sequence[int], workers: int = 2) -> Damage:
    """Flip each of the bits, one at a time, and run a receiver on every damaged message.

    Raises ``ValueError`` when the receiver does not find the undamaged message sound, and ``RuntimeError``
    when it breaks down (neither says that all holds nor that something does not).
    """
    damage = Damage()
    with tempfile.TemporaryDirectory(prefix="isagoge-") as folder:

        def verdict(data: bytes) -> str:
            done = subprocess.run(
                [*command, "--seconds", str(SECONDS), "-"],
                input=data,
                capture_output=True,
                cwd=folder,
                env={},
            )
            lines = done.stdout.decode("ascii", "replace").splitlines()
            if done.returncode not in (0, 1) or not lines or not lines[-1].startswith("end "):
                raise RuntimeError(
                    f"the receiver broke down: status {done.returncode}, {done.stderr[-200:]!r}"
                )
            words = (line.partition(" ")[2] for line in lines[:-1])
            bad = [word for word in words if word not in ("true", "defined")]
            return bad[0] if bad else ""

        if bad := verdict(message):
            raise ValueError(f"the undamaged message is not sound: {bad}")
        with ThreadPoolExecutor(workers) as pool:
            for bit, word in zip(
                bits, pool.map(lambda bit: verdict(flipped(message, bit)), bits), strict=True
            ):
                if word:
                    damage.found[word] += 1
                else:
                    damage.unnoticed.append(bit)
    return damage
