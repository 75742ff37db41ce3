"""The receivers there are, as data: which can run on this machine, and how to make them ready."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "receivers"
BUILD_SECONDS = 300


class ReceiverError(Exception):
    """A receiver is not known, lacks its tool, or does not build; the message is one line."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """One receiver, as ``receivers.toml`` describes it; see there for the fields."""

    name: str
    language: str
    source: Path
    tools: tuple[str, ...]
    get: str
    run: tuple[str, ...]
    build: tuple[str, ...] = ()
    variable: str = ""
    seconds: float = 3600.0

    def tool(self) -> str | None:
        """Return the path of the tool that runs or builds the receiver, or None where there is none."""
        if self.tools[0].startswith("python"):
            return sys.executable  # the Python that runs us is there for certain
        named = os.environ.get(self.variable, "") if self.variable else ""
        found = (shutil.which(tool) for tool in ([named] if named else self.tools))
        return next((path for path in found if path), None)

    def missing(self) -> str:
        """Say in one line why the receiver cannot run on this machine; empty if it can."""
        if not self.source.is_file():
            return f"its program {self.source} is not there"
        if self.tool() is None:
            named = os.environ.get(self.variable, "") if self.variable else ""
            wanted = f"{named} (from {self.variable})" if named else " or ".join(self.tools)
            return f"{wanted} is not on this machine: {self.get}"
        return ""

    @property
    def lines(self) -> int:
        """The number of lines of the program."""
        return len(self.source.read_text("utf-8").splitlines())


@cache
def receivers(catalogue: Path = FOLDER / "receivers.toml") -> tuple[Receiver, ...]:
    """Return all receivers, the fastest first.

    >>> [receiver.name for receiver in receivers()][:2]
    ['c', 'python']
    """
    entries = tomllib.loads(catalogue.read_text("utf-8"))["receiver"]
    return tuple(
        Receiver(
            name=entry["name"],
            language=entry["language"],
            source=catalogue.parent / entry["source"],
            tools=tuple(entry["tools"]),
            get=entry["get"],
            run=tuple(entry["run"]),
            build=tuple(entry.get("build", ())),
            variable=entry.get("variable", ""),
            seconds=float(entry["seconds"]),
        )
        for entry in entries
    )


def choose(names: Sequence[str] = (), known: Sequence[Receiver] | None = None) -> list[Receiver]:
    """Return the named receivers, or without names all that can run on this machine.

    Raises ``ReceiverError`` for a name that is not known or cannot run, and when none can run.
    """
    known = receivers() if known is None else known
    by_name = {receiver.name: receiver for receiver in known}
    if names:
        chosen = []
        for name in dict.fromkeys(names):
            if name not in by_name:
                raise ReceiverError(f"there is no receiver {name!r}; there are: {', '.join(by_name)}")
            if why := by_name[name].missing():
                raise ReceiverError(f"receiver {name} cannot run: {why}")
            chosen.append(by_name[name])
        return chosen
    ready = [receiver for receiver in known if not receiver.missing()]
    if not ready:
        raise ReceiverError(
            "no receiver can run here: "
            + "; ".join(f"{receiver.name}: {receiver.missing()}" for receiver in known)
        )
    return ready


def cache_folder() -> Path:
    """Return the folder of the user for built receivers; it need not exist."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "isagoge" / "receivers"


def command(receiver: Receiver, folder: Path | None = None) -> list[str]:
    """Return the command that runs a receiver, building it first where that has not been done.

    A built program is kept in ``folder`` (default: ``cache_folder()``; a temporary one where that cannot be
    written) under a hash of its source, its build command and the machine, and moved there whole, so that two
    processes can build at once.

    Raises ``ReceiverError`` when the tool is missing or the build fails.
    """
    if why := receiver.missing():
        raise ReceiverError(f"receiver {receiver.name} cannot run: {why}")
    fields = {"tool": receiver.tool() or "", "source": str(receiver.source), "program": ""}
    if receiver.build:
        fields["program"] = str(_built(receiver, fields, folder or cache_folder()))
    return [part.format_map(fields) for part in receiver.run]


def _built(receiver: Receiver, fields: dict[str, str], folder: Path) -> Path:
    key = hashlib.sha256(receiver.source.read_bytes())
    for part in (*receiver.build, fields["tool"], platform.system(), platform.machine()):
        key.update(b"\0" + part.encode())
    name = f"{receiver.name}-{key.hexdigest()[:24]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=folder))
    except OSError:
        folder = Path(tempfile.gettempdir()) / f"isagoge-receivers-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise ReceiverError(
                f"{folder} belongs to somebody else; set XDG_CACHE_HOME to a folder of yours"
            ) from None
        scratch = Path(tempfile.mkdtemp(prefix=".build-", dir=folder))
    program = folder / name
    try:
        if program.is_file():
            return program
        made = scratch / "receiver"
        words = [part.format_map({**fields, "program": str(made)}) for part in receiver.build]
        try:
            result = subprocess.run(
                words,
                cwd=scratch,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=BUILD_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise ReceiverError(f"receiver {receiver.name} does not build: {error}") from None
        if result.returncode or not made.is_file():
            said = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()
            first = next((line for line in said if "error" in line), said[0])
            raise ReceiverError(f"receiver {receiver.name} does not build with {' '.join(words)}: {first}")
        os.replace(made, program)
        return program
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
