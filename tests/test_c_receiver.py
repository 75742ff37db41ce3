"""What the C receiver owes a careful reader: no warnings, and nothing for the sanitizers to find."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from isagoge.emitter.generate import Options, generate
from isagoge.spec.conformance import examples
from isagoge.verify import catalogue, damage

CC = os.environ.get("CC", "cc")
RECEIVER = next(r for r in catalogue.receivers() if r.name == "c")
DIGITS = Path(__file__).parent.parent / "emitter" / "embedded" / "digits_decoder.onnx"


def build(program: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    words = [CC, "-std=c99", *flags, "-o", str(program), str(RECEIVER.source), "-lm"]
    return subprocess.run(words, capture_output=True, text=True)


def test_it_compiles_without_warnings(tmp_path: Path) -> None:
    done = build(tmp_path / "receiver", "-O2", "-Wall", "-Wextra", "-pedantic", "-Werror")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The receiver, built so that it stops at any access, overflow or leak that C does not allow."""
    program = tmp_path_factory.mktemp("c") / "receiver"
    done = build(program, "-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    if done.returncode:
        pytest.skip(f"{CC} has no sanitizers: {done.stderr.strip().splitlines()[-1]}")
    return program


def sound(program: Path, folder: Path, message: bytes, question: bytes | None = None) -> None:
    (folder / "message").write_bytes(message)
    files = ["message"]
    if question is not None:
        (folder / "question").write_bytes(question)
        files.append("question")
    words = [str(program), "--seconds", "20", "--megabytes", "300", *files]
    done = subprocess.run(words, cwd=folder, capture_output=True)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr.decode("utf-8", "replace")[-2000:]


def test_the_sanitizers_find_nothing_in_the_conformance_suite(watched: Path, tmp_path: Path) -> None:
    for example in examples():
        asked = None if example.question is None else bytes.fromhex(example.question)
        sound(watched, tmp_path, bytes.fromhex(example.bits), asked)


def test_the_sanitizers_find_nothing_in_a_model_or_its_damaged_copies(watched: Path, tmp_path: Path) -> None:
    out = tmp_path / "d.isa"
    generate(DIGITS, out, Options(document=False))
    data = out.read_bytes()
    sound(watched, tmp_path, data)
    chance = random.Random(5)
    for _ in range(40):
        sound(watched, tmp_path, damage.flipped(data, chance.randrange(8 * len(data))))
