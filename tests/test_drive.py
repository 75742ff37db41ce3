"""The receivers stand alone, say what SPEC.md says, and whatever a program does, its report tells it."""

from __future__ import annotations

import ast
import os
import re
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_message import pretender, reciter

from isagoge.spec.bits import Encoder, encode
from isagoge.spec.conformance import examples
from isagoge.spec.notation import parse
from isagoge.spec.primitives import number_of
from isagoge.verify import catalogue, conform, drive, values
from isagoge.verify.catalogue import Receiver, ReceiverError

RECEIVERS = catalogue.receivers()
MESSAGE = encode(parse("two := 1 + 1. two = 2."))
C99_HEADERS = set(
    "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdarg stdbool "
    "stddef stdint stdio stdlib string tgmath time wchar wctype".split()
)


def drive_it(receiver: Receiver, message: bytes = MESSAGE, question: bytes | None = None) -> drive.Report:
    command = catalogue.command(receiver)
    return drive.run(receiver.name, command, message, question, seconds=receiver.seconds, megabytes=256)


@pytest.fixture(params=RECEIVERS, ids=lambda receiver: str(receiver.name))
def receiver(request: pytest.FixtureRequest) -> Receiver:
    found: Receiver = request.param
    if found.source.is_file() and found.tool() is None:
        pytest.skip(found.missing())
    return found


def test_every_receiver_is_there_and_its_folder_is_its_own() -> None:
    assert [receiver.name for receiver in RECEIVERS] == ["c", "python"]
    assert all(receiver.source.is_file() for receiver in RECEIVERS)
    assert len({receiver.source.parent for receiver in RECEIVERS}) == len(RECEIVERS)


def test_receivers_pass_the_conformance_suite(receiver: Receiver) -> None:
    suite = examples()
    assert len(suite) > 150
    assert not conform.deviations(receiver, suite)


def test_a_wrong_receiver_does_not_pass_the_conformance_suite(tmp_path: Path) -> None:
    always_true = reciter(tmp_path, "always", ["0 true", "end 1"], 0)
    suite = examples("```examples 9\n1 = 1. ⇒ true\n1 = 2. ⇒ false\n? 1 ÷ 2 ⇒ 3fe0000000000000\n```\n")
    found = conform.deviations(always_true, suite)
    assert [deviation.expected for deviation in found] == ["false", "3fe0000000000000"]
    assert str(found[0]) == "SPEC.md line 3, clause 9: 1 = 2. ⇒ false, but always: true"
    assert "which is no line of a report" in found[1].got


def test_receivers_use_the_standard_library_only(receiver: Receiver) -> None:
    text = receiver.source.read_text("utf-8")
    if receiver.source.suffix == ".py":
        nodes = list(ast.walk(ast.parse(text)))
        used = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
        used |= {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)}
        assert {name.split(".")[0] for name in used} <= sys.stdlib_module_names
    elif receiver.source.suffix == ".c":
        assert set(re.findall(r'^\s*#\s*include\s*[<"](.*)\.h[>"]', text, re.MULTILINE)) <= C99_HEADERS
        assert not re.search(r'^\s*#\s*include\s*"', text, re.MULTILINE)
    else:
        pytest.fail(f"say here how to find what a {receiver.language} program uses")


def test_receivers_judge_a_message_and_answer_a_question(receiver: Receiver) -> None:
    seen: list[tuple[int, str]] = []
    command = catalogue.command(receiver)
    report = drive.run(receiver.name, command, MESSAGE, progress=lambda i, v: seen.append((i, v)))
    assert (report.verdicts, report.status, report.fault) == (["defined", "true"], 0, "")
    assert seen == [(0, "defined"), (1, "true")]
    assert report.sound and report.seconds > 0
    encoder = Encoder(numbers={**number_of(), "two": len(number_of())})
    for statement in parse("[[1, 2], [two, 4]]. 1 ÷ 0. [1, []]. x ↦ x. [1][1]. 1 = 1."):
        encoder.statement(statement)
    asked = drive_it(receiver, question=encoder.writer.bytes())
    assert asked.verdicts == ["value"] * 4 + ["range", "value"]
    assert asked.failures == [4] and asked.status == 1 and not asked.fault
    assert np.array_equal(np.asarray(asked.answers[0].value), [[1, 2], [2, 4]])
    assert asked.answers[1].value == np.inf
    assert asked.answers[3].value == values.FUNCTION
    assert asked.answers[5].text == b"3ff0000000000000"


def test_receivers_report_a_message_that_cannot_be_read(receiver: Receiver) -> None:
    broken = MESSAGE[:-1]
    assert drive_it(receiver, broken).verdicts == ["defined", "cut"]
    asked = drive_it(receiver, broken, encode(parse("1 = 1.")))
    assert (asked.unread, asked.verdicts, asked.fault, asked.status) == ((1, "cut"), [], "", 1)
    assert not asked.sound


def test_a_program_starts_in_an_empty_folder_with_a_bare_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "1")
    (tmp_path / "neighbour.py").write_text("")
    program = """
import os, sys
print(os.listdir("."), sorted(os.environ), sys.stdin.read() == "", file=sys.stderr)
for name in ("isagoge", "numpy", "neighbour"):
    try:
        __import__(name)
        print(name, file=sys.stderr)
    except ImportError:
        pass
print("end 0")
"""
    report = drive_it(pretender(tmp_path, "looks", program), b"")
    assert report.fault == ""
    listing, *imported = report.stderr.splitlines()
    assert not imported
    assert listing.startswith("[] ") and listing.endswith(" True")
    assert set(ast.literal_eval(listing[3 : listing.rindex(" ")])) <= {"LC_ALL", "LC_CTYPE", "PATH"}


def test_the_limits_are_told(tmp_path: Path) -> None:
    report = drive_it(
        pretender(tmp_path, "args", "import sys\nprint(sys.argv[1:5], file=sys.stderr)\nprint('end 0')")
    )
    assert report.stderr.strip() == "['--seconds', '20', '--megabytes', '256']"


@pytest.mark.parametrize(
    ("program", "fault"),
    [
        (
            "raise ValueError('no')",
            r"`end`, exit status 1, after 0 statements: ValueError: no",
        ),
        ("print('0 true')", r"without the line `end`, exit status 0, after 1 statement$"),
        (
            "import os; print('0 true', flush=True); os.abort()",
            r"by signal 6 \(SIGABRT\) after 1 statement",
        ),
        ("import os; print('0 tr', end='', flush=True); os.abort()", r"ended by signal 6"),
        ("print('0 tr', end='')", r"stopped in the middle of the line '0 tr', exit status 0"),
        ("print('hello')", r"wrote 'hello', which is no line"),
        ("print('0 maybe')", r"wrote '0 maybe', which is no line"),
        ("print('0 true 5')", r"wrote '0 true 5', which is no line"),
        ("print('0 value 3ff0000000000000')", r"which is no line"),
        ("print('1 true')", r"wrote '1 true' where statement 0 was due"),
        ("print('0 form\\n1 true')", r"wrote '1 true' after an error that ends the reading"),
        ("print('0 true\\nend 2')", r"ended with 'end 2'"),
        ("print('end 0\\nmore')", r"wrote 'more' after its last line"),
        ("print('0 false\\nend 1')", r"exit status 0 where its report asks for 1"),
        ("print('0 true\\nend 1'); raise SystemExit(3)", r"exit status 3 where its report asks for 0"),
        ("for i in range(10**9): print(i, 'true')", r"more than the bits can hold"),
        ("while True: print('x' * 10**6, end='')", r"wrote a line of more than 256 MiB"),
        ("raise SystemExit(2)", r"^could not carry out the call$"),
        ("import sys; sys.stderr.write('w' * 10**6); print('end 1')", r"ended with 'end 1'"),
    ],
)
def test_what_is_no_report_is_a_fault(tmp_path: Path, program: str, fault: str) -> None:
    report = drive_it(pretender(tmp_path, "wrong", program))
    assert re.search(fault, report.fault), report.fault
    assert not report.sound
    assert len(report.stderr) <= 1 << 16


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ProcessLookupError:
        return False
    except OSError:
        return sys.platform != "linux"


def test_a_program_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drive, "GRACE", 0.5)
    program = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, file=sys.stderr, flush=True)
print("0 defined", flush=True)
time.sleep(60)
"""
    started = time.monotonic()
    report = drive_it(pretender(tmp_path, "hangs", program, seconds=1))
    assert time.monotonic() - started < 20
    assert report.fault == "went on past its limit of 1 s and was ended"
    assert report.verdicts == ["defined"]
    child = int(report.stderr)
    for _ in range(50):
        if not alive(child):
            break
        time.sleep(0.1)
    else:
        pytest.fail("its child is still there")


def test_a_run_can_be_stopped(tmp_path: Path) -> None:
    stop = threading.Event()
    command = catalogue.command(pretender(tmp_path, "sleeps", "import time; time.sleep(60)"))
    threading.Timer(0.3, stop.set).start()
    assert drive.run("sleeps", command, MESSAGE, stop=stop).fault == "was stopped"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets us cap the memory of another process")
def test_memory_is_capped(tmp_path: Path) -> None:
    program = "import time; time.sleep(0.3); x = bytearray(2 << 30); print('end 0')"
    assert "MemoryError" in drive_it(pretender(tmp_path, "greedy", program), b"").fault


def test_a_program_that_cannot_be_started_is_a_fault() -> None:
    assert "could not be started" in drive.run("none", ["/nonexistent/receiver"], MESSAGE).fault


def test_builds_are_kept_under_the_hash_of_the_source(tmp_path: Path) -> None:
    source = tmp_path / "r.sh"
    source.write_text("#!/bin/sh\necho end 0\n")
    build = (
        "{tool}",
        "-c",
        'echo built >>%s; cp "$0" "$1"; chmod +x "$1"' % (tmp_path / "log"),
        "{source}",
        "{program}",
    )
    shell = Receiver("sh", "shell", source, ("sh",), "", ("{program}",), build)
    first = catalogue.command(shell, tmp_path / "cache")
    assert catalogue.command(shell, tmp_path / "cache") == first
    assert (tmp_path / "log").read_text() == "built\n"
    assert drive.run("sh", first, b"").sound
    source.write_text("#!/bin/sh\necho end 0 # changed\n")
    assert catalogue.command(shell, tmp_path / "cache") != first
    assert sorted(path.name[:3] for path in (tmp_path / "cache").iterdir()) == ["sh-", "sh-"]


def test_a_receiver_that_does_not_build_says_the_first_error(tmp_path: Path) -> None:
    source = tmp_path / "r.c"
    source.write_text("int main(void) { return nothing; }\n")
    real = next(r for r in RECEIVERS if r.name == "c")
    if real.tool() is None:
        pytest.skip("no C compiler")
    with pytest.raises(ReceiverError, match=r"receiver c does not build .*error.*nothing"):
        catalogue.command(replace(real, source=source), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_missing_tools_and_unknown_names_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = replace(RECEIVERS[0], tools=("no-such-compiler",), variable="")
    assert "no-such-compiler is not on this machine: install a C compiler" in lost.missing()
    with pytest.raises(ReceiverError, match="no receiver can run here: c: "):
        catalogue.choose(known=[lost])
    with pytest.raises(ReceiverError, match="there is no receiver 'rust'; there are: c, python"):
        catalogue.choose(["rust"])
    with pytest.raises(ReceiverError, match="receiver c cannot run"):
        catalogue.choose(["c"], [lost])
    monkeypatch.setenv("CC", "no-such-cc")
    assert "no-such-cc (from CC)" in RECEIVERS[0].missing()


NESTED = st.recursive(st.floats(), lambda inner: st.lists(inner, max_size=4), max_leaves=30)


def plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [plain(part) for part in value] if isinstance(value, list) else value


@given(NESTED)
def test_values_are_read_as_they_were_written(value: object) -> None:
    text = values.spell(value)
    assert values.spell(plain(values.parse(text))) == text


@given(st.lists(st.integers(0, 3), max_size=4))
def test_arrays_whose_lengths_agree_come_as_one(shape: list[int]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.float64).reshape(shape)
    found = np.asarray(values.parse(values.spell(array)))
    visible = shape[: shape.index(0) + 1] if 0 in shape else shape
    assert list(found.shape) == visible
    assert np.array_equal(found.reshape(shape), array)


@pytest.mark.parametrize(
    "text", ["", "3ff", "[", "]", "[]]", "[ ]", "[[]", "[[][]]", "[3FF0000000000000]", "nan"]
)
def test_what_is_no_value_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        values.parse(text.encode())


@given(NESTED.map(values.spell), st.data())
def test_changed_texts_are_refused_or_read_as_they_stand(text: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(text)))
    changed = text[:place] + data.draw(st.sampled_from([b"[", b"]", b" ", b"0", b""])) + text[place + 1 :]
    try:
        found = values.parse(changed)
    except ValueError:
        return
    if b"7ff" not in changed and b"fff" not in changed:
        assert values.spell(plain(found)) == changed
