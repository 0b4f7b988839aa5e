"""A model that gives back its training images is found out, in every kind of data; what is flagged does not leave."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from medsynth_core.copy_rule import ALLOWED, UNLIKE
from medsynth_core.errors import InputError
from medsynth_core.evaluation import aligned
from medsynth_core.evaluation.copies import CopyNetwork, CopySettings, build_copy_network
from medsynth_core.evaluation.generator import Images
from medsynth_core.evaluation.planting import planted
from medsynth_core.formats import read
from medsynth_core.protocol import ModelCard
from medsynth_core.studies import copies_run
from medsynth_core.studies.copies import Found, Memory, find_copies
from medsynth_core.studies.copies_page import answers, copies_page
from medsynth_core.studies.copies_run import CopiesRun, run
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import LABELS, NUCLEI
from medsynth_core.studies.material import Material
from medsynth_core.studies.questioned import Question, Questioned
from medsynth_core.studies.samples import Kind, Sample, wishes

SIDE, SLICES = 64, 4


def untrained(taught: Images, settings: CopySettings) -> CopyNetwork:
    """Scenes as unlike as those of the tests are ranked by any network."""
    return build_copy_network(taught.shape[1], dataclasses.replace(settings, widths=(8, 16), length=32)).eval()


def scene(seed: int, shape: tuple[int, ...] = (3, SIDE, SIDE), grain: float = 4) -> np.ndarray:
    rough = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), (*(0,) * (len(shape) - 2), grain, grain))
    return (128 + 50 * rough / rough.std()).clip(0, 255).astype(np.uint8)


def item(seed: int, image: np.ndarray | None = None) -> Item:
    image = scene(seed) if image is None else image
    labels = np.zeros((1, *image.shape[1:]), np.int32)
    labels[:, 20:40, 20:40] = 1
    return Item(f"case {seed}", f"patient {seed}", image[None], labels)


def sample(name: str, image: np.ndarray, kind: Kind = Kind.TRAINING) -> Sample:
    return Sample(name, kind, 7, dataclasses.replace(item(0, image), name=name))


@pytest.fixture(scope="module", autouse=True)
def short_climbs() -> Iterator[None]:
    """Copies of these scenes are found after a few steps: how far climbing must go for real ones, test_aligned.py says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aligned, "CLIMBS", tuple((side, 8, rate) for side, _, rate in aligned.CLIMBS))
        yield


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(LABELS, tuple(item(i) for i in range(8)), tuple(item(100 + i) for i in range(9)), 3, 2, (), dict)


@pytest.fixture(scope="module")
def samples(material: Material) -> list[Sample]:
    copies = planted(np.stack([i.image[0] for i in material.pool[:2]]), seed=1)
    mirrored = np.ascontiguousarray(material.pool[2].image[0][:, :, ::-1])
    strangers = [sample(f"edited masks {i}", scene(200 + i), Kind.EDITED) for i in range(3)]
    return [sample("training masks 1", copies[0]), sample("training masks 2", copies[1]), sample("turned", mirrored), *strangers]


@pytest.fixture(scope="module")
def found(material: Material, samples: list[Sample]) -> Found:
    return find_copies(Memory(material, untrained), "the judge", material, samples)


def test_copies_are_flagged_with_their_training_image_and_strangers_are_not(found: Found, material: Material) -> None:
    assert set(found.flagged) == {"training masks 1", "training masks 2", "turned"}
    assert [(share.kind, share.flagged, share.pictures) for share in found.shares] == [(Kind.TRAINING, 3, 3), (Kind.EDITED, 0, 3)]
    assert found.real_percent <= 5
    turned = next(flag for flag in found.flags if flag.sample == "turned")
    assert turned.learned == 2
    assert np.array_equal(turned.picture, material.pool[2].image[0])
    assert np.array_equal(turned.neighbor, material.pool[2].image[0])


def test_the_most_alike_comes_first(found: Found) -> None:
    likeness = [flag.likeness for flag in found.flags]
    assert likeness == sorted(likeness, reverse=True)


def test_a_patch_from_anywhere_in_a_tile_is_found_however_it_was_turned() -> None:
    tiles = [
        dataclasses.replace(item(i), image=scene(i, (3, 320, 320), grain=12)[None], labels=np.ones((1, 320, 320), int))
        for i in range(3)
    ]
    others = [
        dataclasses.replace(item(i), image=scene(i, (3, 256, 256), grain=12)[None], labels=np.ones((1, 256, 256), int))
        for i in range(50, 56)
    ]
    patch = tiles[1].image[0][:, 37:293, 21:277]
    copy = np.ascontiguousarray(np.rot90(patch, axes=(1, 2)))
    material = Material(NUCLEI, tuple(tiles), tuple(others), 3, 2, (), dict)
    found = find_copies(Memory(material, untrained), "the judge", material, [sample("a", copy), sample("b", others[0].image[0])])
    assert found.flagged == ("a",)
    assert found.flags[0].learned == 1
    assert found.flags[0].neighbor.shape == (3, 256, 256)


def volume(seed: int) -> Item:
    """Four slices, each with itself as its neighbors."""
    planes = scene(seed, (SLICES, SIDE, SIDE))
    return Item(f"v{seed}", f"p{seed}", np.stack([planes, planes, planes], axis=1), np.ones((SLICES, SIDE, SIDE), np.int32))


def test_a_volume_is_known_by_its_slices() -> None:
    material = Material(LABELS, (volume(0), volume(1)), (volume(2), volume(3), volume(4), volume(5)), 3, 2, (), dict)
    made = [Sample("copied", Kind.DRAWN, 1, volume(1)), Sample("new", Kind.DRAWN, 2, volume(9))]
    found = find_copies(Memory(material, untrained), "the judge", material, made)
    assert found.flagged == ("copied",)
    assert found.shares[0].pictures == 6
    assert found.real == 4 * SLICES


def test_without_samples_there_is_no_check(material: Material) -> None:
    with pytest.raises(InputError, match="0 of samples"):
        find_copies(Memory(material, untrained), "the judge", material, [])


def test_wishes_are_spread_over_the_masks_and_numbered(material: Material) -> None:
    asked = wishes(material, Kind.HELD_OUT, 3)
    assert [wish.source.name for wish in asked if wish.source] == ["case 100", "case 104", "case 108"]
    assert [wish.seed for wish in asked] == [90_000, 90_001, 90_002]
    assert len(wishes(material, Kind.TRAINING, 100)) == 8
    assert [wish.source for wish in wishes(material, Kind.DRAWN, 2)] == [None, None]


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch, material: Material, samples: list[Sample], found: Found) -> Questioned:
    card = ModelCard("toy", "Toy & co", "synthesize", 3, (SIDE, SIDE), (), "CC0", "scenes", steps=7)
    asked = Questioned(Path("toy"), card, material, "It knows all.")
    monkeypatch.setattr(copies_run, "questioned", lambda question: asked)
    monkeypatch.setattr(copies_run, "make_samples", lambda *_: samples)
    monkeypatch.setattr(copies_run, "memory_of", lambda *_: (None, found.judge))
    monkeypatch.setattr(copies_run, "find_copies", lambda *_: found)
    return asked


def order(folder: Path, **changes: object) -> CopiesRun:
    return dataclasses.replace(
        CopiesRun(Question(Path("data"), "toy"), folder / "out", command="msynth evaluate copies"), **changes
    )


def test_the_report_says_the_shares_and_names_no_case(answered: Questioned, tmp_path: Path) -> None:
    answer = run(order(tmp_path), lambda far: None)
    told = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert [kind["flagged_percent"] for kind in told["kinds"]] == [100, 0]
    assert told["flagged"][0]["training_picture"] in range(8)
    assert "case" not in json.dumps(told)
    page = answer.page.read_text("utf-8")
    assert "Toy &amp; co" in page
    assert page.count("<img") == 2 * 3
    assert answer.answers[0].startswith("Of training masks: 100.0 % of 3 pictures are flagged, ")


def test_flagged_samples_stay_and_the_manifest_says_so(answered: Questioned, tmp_path: Path) -> None:
    run(order(tmp_path, export=tmp_path / "export"), lambda far: None)
    assert sorted(p.name for p in (tmp_path / "export").glob("*.png")) == [f"edited-masks-{i}.png" for i in range(3)]
    manifest = json.loads((tmp_path / "export" / "manifest.json").read_text("utf-8"))
    assert manifest["copies"]["kept_out"] == ["training masks 1", "training masks 2", "turned"]
    assert manifest["copies"]["override"] == ""
    assert manifest["synthetic"] is True


def test_the_override_is_on_record_in_manifest_and_files(answered: Questioned, tmp_path: Path) -> None:
    answer = run(order(tmp_path, export=tmp_path / "export", allow_copies=True), lambda far: None)
    assert "3 of them flagged" in answer.answers[-1]
    assert len(list((tmp_path / "export").glob("*.png"))) == 6
    assert json.loads((tmp_path / "export" / "manifest.json").read_text("utf-8"))["copies"]["override"] == "--allow-copies"
    assert ALLOWED.encode() in (tmp_path / "export" / "training-masks-1.png").read_bytes()
    assert UNLIKE.encode() in (tmp_path / "export" / "edited-masks-0.png").read_bytes()
    assert read(tmp_path / "export" / "turned.png").array.shape == (3, 1, SIDE, SIDE)


def test_a_volume_leaves_with_all_its_slices(
    answered: Questioned, found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = Sample("grown 1", Kind.DRAWN, 1, volume(1))
    monkeypatch.setattr(copies_run, "make_samples", lambda *_: [grown])
    monkeypatch.setattr(copies_run, "find_copies", lambda *_: dataclasses.replace(found, flags=()))
    run(order(tmp_path, export=tmp_path / "export"), lambda far: None)
    there = read(tmp_path / "export" / "grown-1.nii.gz")
    assert np.array_equal(there.array[0], grown.item.image[:, 1])


def test_an_export_never_mixes_with_what_is_there(answered: Questioned, tmp_path: Path) -> None:
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="export is not empty"):
        run(order(tmp_path, export=tmp_path / "export"), lambda far: None)


def test_no_flag_is_an_answer_too(found: Found, answered: Questioned) -> None:
    clean = dataclasses.replace(found, flags=(), shares=(dataclasses.replace(found.shares[0], flagged=0),))
    assert "no more than real images are" in answers(clean)[0]
    assert "None." in copies_page("data", "msynth", {}, answered, clean, 1.0)
