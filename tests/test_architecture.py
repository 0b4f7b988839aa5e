"""The house's rules about its own source: fences, sizes, and what never stands in it."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "backend" / "medsynth_core", ROOT / "napari_medsynth", ROOT / "slicer_extension" / "MedSynth")
SOURCES = sorted(path for package in PACKAGES for path in package.rglob("*.py"))
OWN_CODE = [*SOURCES, *sorted((ROOT / "benchmarks").rglob("*.py"))]
LIGHT = sorted(PACKAGES[0].glob("*.py"))

COMMAND_LINE = {path.name for path in LIGHT if path.stem.startswith(("cli", "file_pairs")) or path.stem.endswith("_command")}
"""May print, and import what is heavy inside the function that needs it."""

LONG_BY_NATURE = {
    # A sampler, a training loop or a network may be longer if it reads top to bottom (house style).
    "forward",
    "run",
    "train",
}


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function's place and its length in lines, without docstring."""
    for node in ast.walk(tree(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            yield f"{name_of(path)}:{node.lineno} {node.name}", (node.end_lineno or 0) - body[0].lineno + 2


def imported(path: Path, top_level_only: bool = False) -> set[str]:
    """Names of the modules a file imports, wherever in the file or at its top level only."""
    module = tree(path)
    found: set[str] = set()
    for node in module.body if top_level_only else ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def calls(path: Path) -> Iterator[tuple[str, str]]:
    """The place and the name of each call in a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield f"{name_of(path)}:{node.lineno}", ast.unparse(node.func)


def test_the_import_fences_hold() -> None:
    code = (
        "import sys; sys.path[:0] = ['backend', '.']; "
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-1000:]


def test_a_light_module_imports_standard_library_and_numpy_alone() -> None:
    allowed = {*sys.stdlib_module_names, "numpy", "medsynth_core"}
    folders = {path.name for path in PACKAGES[0].iterdir() if path.is_dir()}
    names = [(path.name, name) for path in LIGHT for name in imported(path, path.name in COMMAND_LINE)]
    assert not [f"{file}: {name}" for file, name in names if name.split(".")[0] not in allowed]
    assert not [f"{file}: {name}" for file, name in names if set(name.split(".")[1:2]) & folders]


def test_the_light_client_pulls_in_nothing_but_numpy() -> None:
    code = (
        "import sys; before = set(sys.modules); import medsynth_core.client; "
        "print(*{n.split('.')[0] for n in set(sys.modules) - before})"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "backend", capture_output=True, text=True, check=True)
    foreign = set(result.stdout.split()) - set(sys.stdlib_module_names) - {"numpy", "medsynth_core"}
    # numpy's compiled parts register helper modules of cython under these names
    assert not {name for name in foreign if not name.startswith(("_cython", "cython_runtime", "_distutils_hack"))}


def test_a_file_is_one_idea_of_at_most_400_lines() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in OWN_CODE}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_functions_read_like_sentences() -> None:
    lengths = dict(found for path in SOURCES for found in functions(path))
    longest = sorted(lengths.items(), key=lambda item: -item[1])
    offenders = "\n".join(f"{length:4} {place}" for place, length in longest[:20])
    assert statistics.median(lengths.values()) <= 10, offenders
    assert sum(length > 35 for length in lengths.values()) <= 0.1 * len(lengths), offenders


def test_only_what_reads_top_to_bottom_is_long() -> None:
    too_long = {
        place: length
        for path in SOURCES
        for place, length in functions(path)
        if length > (70 if place.rsplit(" ", 1)[1].strip("_") in LONG_BY_NATURE else 45)
    }
    assert not too_long


def test_nothing_prints_but_the_command_line() -> None:
    silent = [path for path in SOURCES if path.name not in COMMAND_LINE]
    assert not [place for path in silent for place, called in calls(path) if called == "print"]


def test_no_pickle_no_torch_load_no_shell_no_eval() -> None:
    unsafe_modules = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    assert not [name_of(path) for path in OWN_CODE if imported(path) & unsafe_modules]
    unsafe_calls = {"torch.load", "eval", "exec", "os.system", "os.popen", "np.load", "numpy.load"}
    assert not [place for path in OWN_CODE for place, called in calls(path) if called in unsafe_calls]
    assert not [name_of(path) for path in OWN_CODE if "shell=True" in path.read_text(encoding="utf-8")]


def test_every_module_says_what_it_is() -> None:
    assert not [name_of(path) for path in OWN_CODE if tree(path).body and not ast.get_docstring(tree(path))]


def test_names_mean_something() -> None:
    empty = {"utils", "util", "helper", "helpers", "manager", "misc", "common", "info"}
    assert not [name_of(path) for path in OWN_CODE if path.stem in empty]
    classes = [(path, node.name) for path in OWN_CODE for node in ast.walk(tree(path)) if isinstance(node, ast.ClassDef)]
    assert not [f"{name_of(path)} {name}" for path, name in classes if name.endswith(("Manager", "Helper", "Utils"))]


def test_nothing_is_left_for_later() -> None:
    words = ("TODO", "FIXME", "XXX", "HACK")
    assert not [name_of(path) for path in OWN_CODE if any(word in path.read_text(encoding="utf-8") for word in words)]
