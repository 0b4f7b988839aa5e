"""What is shipped: packages, dependencies with their reasons, pins, and the built wheel itself."""

from __future__ import annotations

import ast
import configparser
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from setuptools import find_packages

ROOT = Path(__file__).parent.parent
SECTIONS = ("install_requires", "service", "napari", "evaluate", "dev")
NOT_SHIPPED = shutil.ignore_patterns(".venv", ".git", "runs", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def dependency_lines(setup: configparser.ConfigParser, name: str) -> list[str]:
    section = "options" if name == "install_requires" else "options.extras_require"
    lines = setup[section][name].strip().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith(("#", "%("))]


def all_requirements(setup: configparser.ConfigParser) -> list[Requirement]:
    return [Requirement(line) for name in SECTIONS for line in dependency_lines(setup, name)]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line.strip() and not line.startswith("#"))
    return {canonicalize_name(name): version.strip() for name, version in pairs}


def test_every_package_in_the_tree_is_shipped(setup: configparser.ConfigParser) -> None:
    listed = set(setup["options"]["packages"].split())
    in_tree = set(find_packages(ROOT / "backend")) | set(find_packages(ROOT, include=["napari_medsynth", "napari_medsynth.*"]))
    assert listed == in_tree


@pytest.mark.parametrize("section", SECTIONS)
def test_every_dependency_has_a_reason_above_it(section: str) -> None:
    lines = (ROOT / "setup.cfg").read_text(encoding="utf-8").splitlines()
    start = lines.index(f"{section} =")
    block = next((i for i in range(start + 1, len(lines)) if not lines[i].startswith("    ")), len(lines))
    reason = ""
    for line in (text.strip() for text in lines[start + 1 : block]):
        if line.startswith("#"):
            reason = line
        elif not line.startswith("%("):
            assert reason, f"{line} in {section} has no reason above it"


def test_every_dependency_is_pinned_within_its_range(setup: configparser.ConfigParser) -> None:
    pinned = pins()
    for requirement in all_requirements(setup):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} has no pin in constraints.txt"
        assert requirement.specifier.contains(version), f"{requirement} does not allow the pinned {version}"


def test_every_dependency_is_named_with_its_license(setup: configparser.ConfigParser) -> None:
    table = (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8").lower()
    for requirement in all_requirements(setup):
        assert re.search(rf"[|,] {re.escape(requirement.name.lower())}[ ,]", table), (
            f"{requirement.name} is not in THIRD_PARTY.md"
        )


def test_pins_hold_on_every_platform() -> None:
    assert not [f"{name}=={version}" for name, version in pins().items() if "+" in version], "a local version exists nowhere else"


def test_every_import_is_declared(setup: configparser.ConfigParser) -> None:
    distributions = {"pil": "pillow", "skimage": "scikit-image"}
    distributions |= {"starlette": "fastapi", "pydantic": "fastapi", "huggingface_hub": "diffusers"}  # what those are built on
    declared = {requirement.name.lower() for requirement in all_requirements(setup)}
    sources = [path for folder in ("backend", "napari_medsynth", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    used = {name.split(".")[0].lower() for name in names} - {name.lower() for name in sys.stdlib_module_names}
    used -= {"medsynth_core", "napari_medsynth", "benchmarks"}
    assert not {name for name in used if distributions.get(name, name) not in declared}


def test_the_bare_install_needs_numpy_alone(setup: configparser.ConfigParser) -> None:
    assert [Requirement(line).name for line in dependency_lines(setup, "install_requires")] == ["numpy"]


def test_no_qt_binding_reaches_users(setup: configparser.ConfigParser) -> None:
    shipped = {Requirement(line).name.lower() for name in SECTIONS[:4] for line in dependency_lines(setup, name)}
    assert not shipped & {"pyqt5", "pyqt6", "pyside2", "pyside6"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of the tree, so that nothing is left behind in it."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = shutil.copytree(ROOT, folder / "tree", ignore=NOT_SHIPPED)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-2000:]
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_module(wheel: set[str]) -> None:
    sources = [*(ROOT / "backend").rglob("*.py"), *(ROOT / "napari_medsynth").rglob("*.py")]
    expected = {str(p.relative_to(ROOT / "backend" if "backend" in p.parts else ROOT).as_posix()) for p in sources}
    assert expected <= wheel


def test_the_wheel_holds_manifest_samples_and_starter_models(wheel: set[str]) -> None:
    starter = ROOT / "backend/medsynth_core/starter"
    wanted = [p for p in starter.rglob("*") if p.suffix in {".json", ".safetensors"}]
    wanted += [p for folder in ("samples", "icons") for p in (ROOT / "napari_medsynth" / folder).glob("*") if p.is_file()]
    missing = {p.name for p in wanted if not any(name.endswith(f"{p.parent.name}/{p.name}") for name in wheel)}
    assert not missing
    assert {"napari_medsynth/napari.yaml", "medsynth_core/py.typed"} <= wheel


def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    foreign = {
        name for name in wheel if name.split("/")[0] not in ("medsynth_core", "napari_medsynth") and ".dist-info" not in name
    }
    assert not foreign
    assert not {name for name in wheel if name.endswith((".pt", ".pth", ".pkl", ".ckpt", ".partial"))}
