"""The command line from end to end: exit statuses, one line for what is wrong, files where they belong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from small_message import Small, small, small_model

import isagoge
from isagoge.cli import COMMANDS, main
from isagoge.verify import catalogue

DECODER = Path(isagoge.__path__[0]) / "emitter" / "embedded" / "digits_decoder.onnx"


class Result:
    """What a call of the command line did."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *words: object) -> None:
        self.status = main([str(word) for word in words])
        self.out, self.err = capsys.readouterr()

    def fails(self, status: int, *parts: str) -> None:
        """Check the exit status, and that standard error is one line that holds the parts."""
        assert self.status == status, self.err or self.out
        assert self.err.count("\n") == 1 and self.err.endswith("\n"), self.err
        assert self.err.startswith("isagoge"), self.err
        for part in parts:
            assert part in self.err

    def works(self) -> str:
        """Check that it went well and said nothing on standard error; return standard output."""
        assert (self.status, self.err) == (0, ""), self.out + self.err
        return self.out


@pytest.fixture
def made(tmp_path: Path) -> Small:
    return small(tmp_path)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The message of the embedded model, made once."""
    out = tmp_path_factory.mktemp("digits") / "digits.isa"
    assert main(["generate", str(DECODER), "-o", str(out)]) == 0
    return out


def copied(digits: Path, folder: Path) -> Path:
    for ending in (".isa", ".json"):
        (folder / f"digits{ending}").write_bytes(digits.with_suffix(ending).read_bytes())
    return folder / "digits.isa"


def saved(path: Path, values: Sequence[object] | np.ndarray, dtype: str = "int64") -> Path:
    np.save(path, np.asarray(values, dtype))
    return path


def test_help_version_and_wrong_calls(capsys: pytest.CaptureFixture[str]) -> None:
    assert Result(capsys, "--version").works() == f"isagoge {isagoge.__version__}\n"
    assert all(command in Result(capsys, "--help").works() for command in COMMANDS)
    for command in COMMANDS:
        assert f"isagoge {command}" in Result(capsys, command, "--help").works()
    Result(capsys).fails(2, "COMMAND", "see `isagoge --help`")
    Result(capsys, "teach").fails(2, "teach")
    Result(capsys, "verify").fails(2, "M.isa", "isagoge verify --help")
    Result(capsys, "verify", "M.isa", "--seconds", "0").fails(2, "--seconds", "above 0")
    Result(capsys, "verify", "M.isa", "--samples", "0").fails(2, "--samples")
    Result(capsys, "run", "M.isa", "--input", "x", "--output", "d").fails(2, "NAME=FILE.npy")


def test_the_program_is_installed_or_runs_as_a_module(made: Small) -> None:
    command = [sys.executable, "-m", "isagoge.cli", "verify", str(made.path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert "holds: all 10 statements" in result.stdout
    made.flip(3)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 1


def test_a_reader_that_goes_away_is_no_error(made: Small) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "isagoge.cli", "verify", str(made.path)]
    result = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (0, "")


def test_receivers_are_listed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert [line.split()[0] for line in Result(capsys, "receivers").works().splitlines()] == ["c", "python"]
    found = json.loads(Result(capsys, "receivers", "--json", "-").works())
    assert found[1]["name"] == "python" and found[1]["found"] is True
    monkeypatch.setenv("CC", "no-such-compiler")
    assert "missing: no-such-compiler (from CC) is not on this machine" in Result(capsys, "receivers").works()
    Result(capsys, "conformance", "--receiver", "c").fails(2, "receiver c cannot run", "apt install")


def test_conformance_is_dumped(capsys: pytest.CaptureFixture[str]) -> None:
    suite = json.loads(Result(capsys, "conformance", "--dump").works())
    assert set(suite[0]) == {"clause", "line", "text", "bits", "question", "verdicts"}
    Result(capsys, "conformance", "--receiver", "rust").fails(2, "no receiver 'rust'", "c, python")


def test_verify_holds_with_and_without_what_stands_beside(
    made: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    assert "holds: all 10 statements" in Result(capsys, "verify", made.path, "--json", report).works()
    assert json.loads(report.read_text())["verdict"] == "holds"
    assert json.loads(Result(capsys, "verify", made.path, "--json", "-").works())["statements"] == 10
    made.path.with_suffix(".json").unlink()
    text = Result(capsys, "verify", made.path).works()
    assert "no sidecar" in text and "holds: all 10 statements" in text


def test_verify_compares_with_the_model(
    made: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = small_model(tmp_path), small_model(tmp_path, factor=3)
    text = Result(capsys, "verify", made.path, "--model", right, "--samples", 2).works()
    assert "sample 2, doubled [" in text and "SHA-256 differs" in text
    call = Result(capsys, "verify", made.path, "--model", wrong, "--json", tmp_path / "r.json")
    call.fails(1, "isagoge verify: does not hold: sample 1: output doubled is", "more than 1e-05")
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["status"] == 1 and found["questions"][0]["comparisons"][0]["name"] == "doubled"
    given = [
        "--input",
        f"x={saved(tmp_path / 'x.npy', [1, 2])}",
        "--input",
        f"y={saved(tmp_path / 'y.npy', [3])}",
    ]
    assert (
        "given inputs, doubled [2]" in Result(capsys, "verify", made.path, "--model", right, *given).works()
    )
    made.path.with_suffix(".json").unlink()
    Result(capsys, "verify", made.path, "--model", right).fails(2, "needs the sidecar", "small.json")


def test_verify_says_what_cannot_be_tried(
    made: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Result(capsys, "verify", tmp_path / "none.isa").fails(2, "cannot read", "none.isa: No such file")
    Result(capsys, "verify", tmp_path).fails(2, "directory")
    (tmp_path / "empty.isa").touch()
    Result(capsys, "verify", tmp_path / "empty.isa").fails(2, "empty.isa is empty")
    Result(capsys, "verify", made.path, "--model", tmp_path / "none.onnx").fails(2, "none.onnx: No such file")
    Result(capsys, "verify", made.path, "--model", made.path).fails(2, "ONNX Runtime does not run")
    Result(capsys, "verify", made.path, "--receiver", "rust").fails(2, "no receiver 'rust'")
    Result(capsys, "verify", made.path, "--seconds", "rust=3").fails(2, "no receiver 'rust'")
    made.path.with_suffix(".json").write_text("{")
    Result(capsys, "verify", made.path).fails(2, "small.json is not JSON")


def test_damaged_messages_do_not_hold(made: Small, capsys: pytest.CaptureFixture[str]) -> None:
    whole = made.path.read_bytes()
    made.flip(made.spans[4][0] + 40)
    Result(capsys, "verify", made.path).fails(1, "does not hold: statement 4 (library, About library) is")
    made.path.write_bytes(whole[:-3])
    Result(capsys, "verify", made.path).fails(1, "does not hold: statement 9 (vectors", "cut")
    made.path.with_suffix(".json").unlink()
    Result(capsys, "verify", made.path).fails(1, "does not hold: statement 9 is cut")


@pytest.mark.parametrize("receiver", [receiver.name for receiver in catalogue.receivers()])
def test_run_writes_the_outputs(
    made: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str], receiver: str
) -> None:
    x, y = saved(tmp_path / "x.npy", [5, 6]), saved(tmp_path / "y.npy", [7])
    words = ("run", made.path, "--input", f"x={x}", "--input", f"y={y}", "--receiver", receiver)
    text = Result(capsys, *words, "--output", tmp_path / "new" / "out").works()
    assert "doubled, int64 [2]" in text
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        "a_sum_0.npy",
        "doubled.npy",
    ]
    doubled = np.load(tmp_path / "new" / "out" / "doubled.npy")
    assert doubled.dtype == np.int64 and doubled.tolist() == [10, 12]
    assert np.load(tmp_path / "new" / "out" / "a_sum_0.npy").tolist() == [13]


def test_run_says_what_is_wrong(made: Small, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = saved(tmp_path / "y.npy", [7])
    y = ("--input", f"y={good}", "--output", tmp_path / "out")

    def run(*words: object) -> Result:
        return Result(capsys, "run", made.path, *words, *y)

    run().fails(2, "input x is not given; the model's inputs are x: int64 [n]; y: int64 [1]")
    run("--input", f"z={good}").fails(2, "has no input z")
    run("--input", f"y={good}").fails(2, "y is given twice")
    run("--input", f"x={tmp_path / 'none.npy'}").fails(2, "none.npy: No such file")
    run("--input", f"x={made.path}").fails(2, "small.isa is not a .npy file")
    run("--input", f"x={saved(tmp_path / 'f.npy', [1.0], 'float32')}").fails(2, "input x has dtype float32")
    run("--input", f"x={saved(tmp_path / 's.npy', [[1]])}").fails(2, "input x has shape [1, 1]")
    (tmp_path / "out").touch()
    run("--input", f"x={good}").fails(2, "out: File exists")
    made.path.write_bytes(made.path.read_bytes()[:10])
    run("--input", f"x={good}").fails(1, "cannot read statement", "cut")
    made.path.with_suffix(".json").unlink()
    run("--input", f"x={good}").fails(2, "run needs the sidecar", "small.json")


def test_read_prints_lessons(made: Small, capsys: pytest.CaptureFixture[str]) -> None:
    text = Result(capsys, "read", made.path).works()
    assert "One is one." in text and "two = 2." in text and "About vectors" in text
    part = Result(capsys, "read", made.path, "--section", "primer", "--from", 1, "--count", 1).works()
    assert "two := 1 + 1." in part and "two = 2." not in part and "double" not in part
    Result(capsys, "read", made.path, "--section", "lesson").fails(2, "no section 'lesson'", "primer")
    made.path.write_bytes(made.path.read_bytes()[:10])
    call = Result(capsys, "read", made.path)
    call.fails(1, "reading stops here", "cut")
    assert "One is one." in call.out
    Result(capsys, "read", made.path.with_name("none.isa")).fails(2, "none.isa: No such file")


def test_generate_says_what_cannot_be_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "m.isa"

    def generate(model: Path, *words: object) -> Result:
        return Result(capsys, "generate", model, "-o", out, *words)

    generate(tmp_path / "none.onnx").fails(2, "none.onnx", "No such file")
    text = tmp_path / "text.onnx"
    text.write_text("This is not a model.\n")
    generate(text).fails(2, "text.onnx")
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    node = helper.make_node("NoSuchOperator", ["x"], ["y"], name="odd one", domain="example.org")
    graph = helper.make_graph(
        [node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    )
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("example.org", 1)]
    onnx.save(helper.make_model(graph, opset_imports=domains), tmp_path / "odd.onnx")
    generate(tmp_path / "odd.onnx").fails(2, "unsupported operators", "NoSuchOperator", "odd one")
    code = saved(tmp_path / "code.npy", np.zeros((2, 5)), "float32")
    generate(DECODER, "--input", f"code={code}").fails(2, "code", "shape")
    generate(DECODER, "--input", f"image={code}").fails(2, "no input 'image'")
    code = saved(tmp_path / "code64.npy", np.zeros((2, 6)), "float64")
    generate(DECODER, "--input", f"code={code}").fails(2, "code", "float64")
    assert not out.exists()
    Result(capsys, "generate", DECODER, "-o", tmp_path / "no" / "m.isa").fails(2, "no is no folder")
    Result(capsys, "generate", DECODER, "-o", tmp_path / "m.json").fails(2, "overwritten")


def test_the_embedded_model_from_end_to_end(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Result(capsys, "verify", digits, "--model", DECODER, "--samples", 1).works()
    assert "holds: all" in text and "sample 1, image [" in text and "SHA-256 differs" not in text
    code = np.random.default_rng(1).standard_normal((3, 6)).astype(np.float32)
    words = ["--input", f"code={saved(tmp_path / 'code.npy', code, 'float32')}", "--output", tmp_path / "out"]
    Result(capsys, "run", digits, *words).works()
    assert np.load(tmp_path / "out" / "image.npy").shape == (3, 64)
    scores = np.load(tmp_path / "out" / "scores.npy")
    assert scores.dtype == np.float32 and np.allclose(scores.sum(axis=1), 1.0)
    text = Result(capsys, "read", digits, "--count", 3).works()
    assert len(text.splitlines()) > 3


def test_a_damaged_digits_message_does_not_hold(
    digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = copied(digits, tmp_path)
    data = bytearray(message.read_bytes())
    data[len(data) // 2] ^= 4
    message.write_bytes(bytes(data))
    Result(capsys, "verify", message, "--receiver", "c").fails(1, "does not hold: statement ", "parity")


def test_generate_is_reproducible(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "r.json"
    text = Result(capsys, "generate", DECODER, "-o", tmp_path / "digits.isa", "--json", report).works()
    assert "statements" in text and "digits.json" in text
    assert (tmp_path / "digits.isa").read_bytes() == digits.read_bytes()
    assert json.loads(report.read_text())["model"]["parameters"] == 5058


def test_demo_shows_and_verifies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Result(capsys, "demo", "-o", tmp_path / "demo").works()
    assert "20 of 20 right" in text and "holds: all" in text
    assert {path.suffix for path in (tmp_path / "demo").iterdir()} == {
        ".isa",
        ".json",
        ".md",
        ".html",
        ".png",
    }
