"""The extension as it is built: everything listed, nothing twice, and only what the light client and Slicer have."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "slicer_extension"
MODULE = EXTENSION / "MedSynth"
CORE = ROOT / "backend" / "medsynth_core"
OURS = sorted([*MODULE.glob("*.py"), *(MODULE / "MedSynthLib").glob("*.py")])
SLICER_BRINGS = {
    "slicer",
    "qt",
    "ctk",
    "vtk",
    "numpy",
    "SampleData",
    "SegmentEditorEffects",
    "qSlicerSegmentationsEditorEffectsPythonQt",
}


def imports(path: Path) -> set[str]:
    """The modules a file imports, `from package import module` among them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def light_files(path: Path) -> set[str]:
    """The files of the light client that a file imports."""
    names = {name.split(".")[1] for name in imports(path) if name.startswith("medsynth_core.")}
    return {f"{name}.py" for name in names if (CORE / f"{name}.py").is_file()}


def needed_client() -> set[str]:
    """All files of the light client that the module needs, straight or through each other."""
    needed, look = {"__init__.py"}, {name for path in OURS for name in light_files(path)}
    while look:
        name = look.pop()
        needed.add(name)
        look |= light_files(CORE / name) - needed
    return needed


def listed(name: str) -> list[str]:
    """The entries of a `set(NAME …)` of the module's CMakeLists.txt."""
    found = re.search(rf"set\({name}\s([^)]*)\)", (MODULE / "CMakeLists.txt").read_text("utf-8"))
    assert found, name
    return [entry.replace("${MODULE_NAME}", "MedSynth") for entry in found[1].split()]


def test_every_script_and_resource_is_listed() -> None:
    scripts = {path.relative_to(MODULE).as_posix() for path in OURS}
    resources = {path.relative_to(MODULE).as_posix() for path in (MODULE / "Resources").rglob("*") if path.is_file()}
    assert set(listed("MODULE_PYTHON_SCRIPTS")) == scripts
    assert set(listed("MODULE_PYTHON_RESOURCES")) == resources


def test_the_client_is_copied_from_its_one_source_and_is_all_that_is_needed() -> None:
    assert set(listed("CLIENT_SCRIPTS")) == needed_client()
    assert "../../backend/medsynth_core" in (MODULE / "CMakeLists.txt").read_text("utf-8")
    own = {path.name for path in OURS} - {"__init__.py"}
    assert not own & {path.name for path in CORE.glob("*.py")}, "a file of the client's name: is it a copy?"


def test_the_module_imports_what_slicer_has_and_nothing_else() -> None:
    allowed = {*sys.stdlib_module_names, *SLICER_BRINGS, "medsynth_core", "MedSynthLib"}
    assert not {f"{path.name}: {name}" for path in OURS for name in imports(path) if name.split(".")[0] not in allowed}


def test_the_module_knows_the_service_through_the_client_alone() -> None:
    heavy = {folder.name for folder in CORE.iterdir() if folder.is_dir()}
    assert not {
        f"{path.name}: {name}" for path in OURS for name in imports(path) if name.split(".")[1:2] and name.split(".")[1] in heavy
    }


def test_threads_stay_away_from_the_scene() -> None:
    """What runs on a thread of the session never imports Slicer: commands and environments know neither scene nor Qt."""
    for name in ("commands.py", "environment.py", "environment_making.py"):
        assert not imports(MODULE / "MedSynthLib" / name) & {"slicer", "qt", "vtk"}


def test_the_module_file_is_thin() -> None:
    assert len((MODULE / "MedSynth.py").read_text("utf-8").splitlines()) < 100


def test_the_catalog_entry_follows_its_schema() -> None:
    entry = json.loads((EXTENSION / "MedSynth.json").read_text("utf-8"))
    schema = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#"
    assert entry["$schema"] == schema
    assert {"$schema", "category", "scm_url"} <= set(entry)
    known = {
        "$schema",
        "category",
        "scm_url",
        "scm_revision",
        "scm_type",
        "build_dependencies",
        "build_subdirectory",
        "enabled",
        "tier",
    }
    assert set(entry) <= known
    assert entry["tier"] in (1, 3, 5)
    assert f'set(EXTENSION_CATEGORY "{entry["category"]}")' in (EXTENSION / "CMakeLists.txt").read_text("utf-8")


@pytest.mark.parametrize("fact", ["HOMEPAGE", "CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"])
def test_the_extensions_manager_is_told(fact: str) -> None:
    assert re.search(rf'set\(EXTENSION_{fact} "[^"]+"\)', (EXTENSION / "CMakeLists.txt").read_text("utf-8"))


def test_the_pictures_that_the_extensions_manager_loads_are_here_and_small() -> None:
    described = (EXTENSION / "CMakeLists.txt").read_text("utf-8")
    told = dict(re.findall(r'set\(EXTENSION_(\w+) "([^"]+)"\)', described))
    urls = [told["ICONURL"], *told["SCREENSHOTURLS"].split()]
    assert len(urls) >= 4
    raw = told["HOMEPAGE"].replace("github.com", "raw.githubusercontent.com") + "/main/"
    for url in urls:
        assert url.startswith(raw)
        where = url.removeprefix(raw)
        assert (ROOT / where).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", where
        assert (ROOT / where).stat().st_size < 200_000


def test_the_tutorial_s_pictures_are_here_and_small() -> None:
    tutorial = (ROOT / "docs" / "slicer.md").read_text("utf-8")
    pictures = re.findall(r'(?:src="|!\[[^\]]*\]\()(images/[^")]+)', tutorial)
    assert len(pictures) >= 8
    for picture in pictures:
        assert (ROOT / "docs" / picture).stat().st_size < 200_000, picture


def test_the_icon_is_a_square_of_128_pixels() -> None:
    png = (EXTENSION / "MedSynth.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(png[16:20]), int.from_bytes(png[20:24])) == (128, 128)


SLICER_CONFIG = """
set(Slicer_QTSCRIPTEDMODULES_LIB_DIR "lib")
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/empty.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/empty.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/empty.cmake")
function(slicer_add_python_unittest)
endfunction()
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MY "WITH_GENERIC_TESTS" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  foreach(file IN LISTS MY_SCRIPTS MY_RESOURCES)
    set(src "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    set(tgt "${file}")
    if(IS_ABSOLUTE "${file}")
      set(src "${file}")
      file(RELATIVE_PATH tgt "${CMAKE_CURRENT_BINARY_DIR}" "${file}")
    endif()
    configure_file("${src}" "${CMAKE_BINARY_DIR}/lib/${tgt}" COPYONLY)
  endforeach()
endmacro()
"""
"""What CMake needs of Slicer, with the rule of its macro: a file given by an absolute path keeps its place below the build."""


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
@pytest.mark.parametrize("source", [EXTENSION, ROOT], ids=["its folder", "the repository, as the Extensions Index builds it"])
def test_cmake_lays_the_module_and_its_client_side_by_side(source: Path, tmp_path: Path) -> None:
    (tmp_path / "SlicerConfig.cmake").write_text(SLICER_CONFIG)
    (tmp_path / "empty.cmake").write_text("")
    build = tmp_path / "build"
    compilers = ["-DCMAKE_C_COMPILER_WORKS=1", "-DCMAKE_CXX_COMPILER_WORKS=1", f"-DSlicer_DIR={tmp_path}", "-DBUILD_TESTING=ON"]
    done = subprocess.run(["cmake", "-S", str(source), "-B", str(build), *compilers], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    laid = {path.relative_to(build / "lib").as_posix() for path in (build / "lib").rglob("*") if path.is_file()}
    client = {f"medsynth_core/{name}" for name in listed("CLIENT_SCRIPTS")}
    samples = {f"Resources/MedSynthSamples/{name}" for name in listed("SAMPLE_FILES")}
    assert laid == {*listed("MODULE_PYTHON_SCRIPTS"), *listed("MODULE_PYTHON_RESOURCES"), *client, *samples}
    result = run_python("import MedSynthLib, medsynth_core.session; print(medsynth_core.__file__)", build / "lib")
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).parent == build / "lib" / "medsynth_core"


def run_python(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}; "
    return subprocess.run([sys.executable, "-I", "-c", start + code], capture_output=True, text=True)


def test_the_client_is_found_in_a_checkout() -> None:
    result = run_python("import MedSynthLib, medsynth_core; print(medsynth_core.__file__)", MODULE)
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()).parent == CORE


def test_the_copied_files_alone_are_a_client(tmp_path: Path) -> None:
    """As CMake lays them out: the client beside the module, without its service."""
    for name in listed("CLIENT_SCRIPTS"):
        (tmp_path / "medsynth_core").mkdir(exist_ok=True)
        (tmp_path / "medsynth_core" / name).write_bytes((CORE / name).read_bytes())
    modules = sorted(name.removesuffix(".py") for name in listed("CLIENT_SCRIPTS") if name != "__init__.py")
    result = run_python(f"import importlib; [importlib.import_module('medsynth_core.' + n) for n in {modules}]", tmp_path)
    assert result.returncode == 0, result.stderr


def test_without_a_client_the_error_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "MedSynthLib").mkdir()
    (tmp_path / "MedSynthLib" / "__init__.py").write_bytes((MODULE / "MedSynthLib" / "__init__.py").read_bytes())
    result = run_python("import MedSynthLib", tmp_path)
    assert "install the extension again, or open the module from its checkout" in result.stderr
