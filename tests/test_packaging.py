"""The lists in pyproject.toml are what is on disk and in a wheel, and our parts import in one direction."""

from __future__ import annotations

import ast
import fnmatch
import functools
import graphlib
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {
    "src/isagoge": "isagoge",
    "spec": "isagoge.spec",
    "primer": "isagoge.primer",
    "emitter": "isagoge.emitter",
    "verify": "isagoge.verify",
}
RECEIVERS = "verify/receivers"
SKIPPED = ("__pycache__", "*.pyc", "*.egg-info", ".*")

# What each part may import, itself aside. The command line in src/ may import all of them.
MAY_IMPORT = {
    "isagoge.spec": set[str](),
    "isagoge.primer": {"isagoge.spec"},
    "isagoge.emitter": {"isagoge.spec", "isagoge.primer"},
    "isagoge.verify": {"isagoge.spec"},
}


def project() -> dict[str, Any]:
    """The [tool.setuptools] part of pyproject.toml."""
    settings: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
        "setuptools"
    ]
    return settings


def files() -> Iterator[str]:
    """Every file in our folders, as a path from the repository root, without what tools leave behind."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            parts = path.relative_to(ROOT).parts
            if path.is_file() and not any(fnmatch.fnmatch(part, skip) for part in parts for skip in SKIPPED):
                yield "/".join(parts)


def packages_on_disk() -> dict[str, str]:
    """Folder to package name, for each folder that holds an ``__init__.py``."""
    found = {}
    for path in files():
        folder, _, name = path.rpartition("/")
        if name == "__init__.py":
            top = next(top for top in FOLDERS if folder == top or folder.startswith(top + "/"))
            found[folder] = FOLDERS[top] + folder[len(top) :].replace("/", ".")
    return found


def owner(path: str, packages: dict[str, str]) -> tuple[str, str]:
    """The folder of the innermost package around ``path``, and the path from there."""
    for parent in PurePosixPath(path).parents:
        if str(parent) in packages:
            return str(parent), str(PurePosixPath(path).relative_to(parent))
    raise AssertionError(f"{path} is in no package")


def data_on_disk() -> set[str]:
    """The files that are not modules of a package."""
    packages = packages_on_disk()
    found = set()
    for path in files():
        _, inner = owner(path, packages)
        if "/" in inner or not inner.endswith(".py"):
            found.add(path)
    return found


def installed_path(path: str) -> str:
    """Where a file of the repository lies in the wheel."""
    top = next(top for top in FOLDERS if path.startswith(top + "/"))
    return FOLDERS[top].replace(".", "/") + path[len(top) :]


def test_package_dir_maps_the_folders() -> None:
    assert project()["package-dir"] == {package: folder for folder, package in FOLDERS.items()}


def test_packages_are_those_on_disk() -> None:
    listed = project()["packages"]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(packages_on_disk().values())


def test_package_data_matches_every_data_file_and_only_those() -> None:
    patterns: dict[str, list[str]] = project()["package-data"]
    packages = packages_on_disk()
    unlisted = []
    used: set[tuple[str, str]] = set()
    for path in sorted(data_on_disk()):
        folder, inner = owner(path, packages)
        package = packages[folder]
        # setuptools' patterns do not cross folders, and neither does PurePath.match with as many parts
        hits = [
            (package, pattern)
            for pattern in patterns.get(package, [])
            if pattern.count("/") == inner.count("/") and PurePosixPath(inner).match(pattern)
        ]
        used.update(hits)
        if not hits:
            unlisted.append(path)
    assert not unlisted, "files that a wheel would lack"
    unused = {(package, pattern) for package, those in patterns.items() for pattern in those} - used
    assert not unused, "patterns that match nothing"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy since setuptools keeps old files in ``build`` beside the sources."""
    copy = tmp_path_factory.mktemp("copy")
    for path in [*files(), "pyproject.toml", "LICENSE"]:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, copy / path)
    if (ROOT / "README.md").is_file():
        shutil.copyfile(ROOT / "README.md", copy / "README.md")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(copy / "dist"),
        str(copy),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    (found,) = (copy / "dist").glob("*.whl")
    return found


def test_the_wheel_holds_exactly_our_files(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        notices = {name.partition(".dist-info/")[2] for name in archive.namelist()} - {""}
    assert held == {installed_path(path) for path in files()}
    assert any(notice.endswith("LICENSE") for notice in notices)
    assert "entry_points.txt" in notices


def module_name(path: str) -> str:
    """The import name of a module's file."""
    name = installed_path(path).removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


@functools.cache
def modules() -> dict[str, str]:
    """Import name to path, for every module of ours; the receivers' programs are no modules."""
    data = data_on_disk()
    return {module_name(path): path for path in files() if path.endswith(".py") and path not in data}


def imported(path: str, name: str) -> set[str]:
    """Full names of what the file imports anywhere; where that is a module of ours, the module itself."""
    known = modules()
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"), path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
                anchor = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*anchor, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in known else base)
    return found


def part(name: str) -> str:
    """The part of the project that a module belongs to: its first two names."""
    return ".".join(name.split(".")[:2])


def test_parts_import_in_one_direction() -> None:
    wrong = [
        f"{path} imports {other}"
        for name, path in modules().items()
        for other in sorted(imported(path, name))
        if part(name) in MAY_IMPORT
        and other.split(".")[0] == "isagoge"
        and part(other) not in MAY_IMPORT[part(name)] | {part(name)}
    ]
    assert not wrong


def test_no_module_imports_itself_through_others() -> None:
    known = modules()
    graph = {name: (imported(path, name) & set(known)) - {name} for name, path in known.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail("modules import each other: " + " <- ".join(error.args[1]))


def test_receivers_in_python_import_the_standard_library_only() -> None:
    programs = [path for path in data_on_disk() if path.startswith(RECEIVERS) and path.endswith(".py")]
    assert programs
    siblings = {PurePosixPath(path).stem for path in programs}
    foreign = [
        f"{path} imports {other}"
        for path in programs
        for other in sorted(imported(path, "receiver"))
        if other.split(".")[0] not in sys.stdlib_module_names | siblings
    ]
    assert not foreign


def test_both_statements_of_the_version_agree() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    tree = ast.parse((ROOT / "src/isagoge/__init__.py").read_text("utf-8"))
    stated = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert stated == [settings["version"]]
