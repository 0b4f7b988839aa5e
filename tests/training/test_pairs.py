"""Reading a training folder: every offender is named at once, and the split never moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from medsynth_core.errors import TrainingDataError
from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.pairs import Columns, load_arrays, read_pairs, without_duplicates
from tests.toy_pairs import disc, picture, save, write_pairs, write_published


def offenders_of(folder: Path, columns: Columns | None = None) -> tuple[str, ...]:
    with pytest.raises(TrainingDataError) as caught:
        read_pairs(folder, columns)
    return caught.value.offenders


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def transparent(path: Path) -> None:
    save(np.full((32, 32, 4), 100, np.uint8), path)


BROKEN: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "image without mask": ("masks", Path.unlink, "case03.png: image without a mask"),
    "mask without image": ("images", Path.unlink, "case03.png: mask without an image"),
    "another size": ("masks", lambda p: save(np.ones((32, 31), np.uint8), p), "case03: image is 32×32, mask 32×31"),
    "empty mask": ("masks", lambda p: save(np.zeros((32, 32), np.uint8), p), "case03.png: the mask is empty"),
    "truncated image": ("images", truncate, "case03.png cannot be read as PNG"),
    "truncated mask": ("masks", truncate, "case03.png cannot be read as PNG"),
    "no bytes": ("images", lambda p: p.write_bytes(b""), "case03.png is empty: it has 0 bytes"),
    "a text file": ("masks", lambda p: p.write_text("not a picture at all"), "case03.png is of an unknown kind"),
    "transparency": ("images", transparent, "case03.png has transparent pixels"),
    "a color mask": ("masks", lambda p: save(picture(3)[0], p), "case03.png is a color picture"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_bad_file_is_named_with_what_is_wrong(tmp_path: Path, name: str) -> None:
    part, harm, said = BROKEN[name]
    folder = write_pairs(tmp_path / "data", 5)
    harm(folder / part / "case03.png")
    (offender,) = offenders_of(folder)
    assert offender.startswith(said)


def test_all_bad_files_are_named_at_once(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 8)
    (folder / "masks" / "case00.png").unlink()
    (folder / "images" / "case01.png").unlink()
    truncate(folder / "images" / "case02.png")
    save(np.zeros((32, 32), np.uint8), folder / "masks" / "case03.png")
    assert [text.split(":")[0].split(" ")[0] for text in sorted(offenders_of(folder))] == [f"case0{i}.png" for i in range(4)]


def test_two_files_of_one_stem_are_refused(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 2)
    save(picture(9)[0], folder / "images" / "case00.bmp")
    assert offenders_of(folder) == ("case00.png: case00.bmp has the same stem",)


@pytest.mark.parametrize(
    ("mask", "said"),
    [
        (np.full((32, 32), 0.5, np.float32), "fractions"),
        (np.full((32, 32), np.nan, np.float32), "fractions"),
        (np.full((32, 32), -1, np.int16), "the label -1"),
        (np.full((32, 32), 300, np.uint16), "the label 300"),
    ],
)
def test_a_mask_that_holds_no_labels_is_named(tmp_path: Path, mask: np.ndarray, said: str) -> None:
    folder = write_pairs(tmp_path / "data", 2)
    (folder / "masks" / "case01.png").unlink()
    tifffile.imwrite(folder / "masks" / "case01.tif", mask)
    (offender,) = offenders_of(folder)
    assert said in offender


@pytest.mark.parametrize(
    ("image", "said"), [(np.ones((3, 32, 32), np.uint8), "slices"), (np.full((32, 32), np.inf, np.float32), "infinite")]
)
def test_an_image_that_is_no_slice_is_named(tmp_path: Path, image: np.ndarray, said: str) -> None:
    folder = write_pairs(tmp_path / "data", 1)
    (folder / "images" / "case00.png").unlink()
    tifffile.imwrite(folder / "images" / "case00.tif", image, photometric="minisblack")
    if image.ndim == 3:
        (folder / "masks" / "case00.png").unlink()
        tifffile.imwrite(folder / "masks" / "case00.tif", image, photometric="minisblack")
    (offender,) = offenders_of(folder)
    assert said in offender


def test_a_folder_without_pairs_says_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    with pytest.raises(TrainingDataError, match="no folder masks/"):
        read_pairs(tmp_path)
    (tmp_path / "masks").mkdir()
    with pytest.raises(TrainingDataError, match="holds no pairs"):
        read_pairs(tmp_path)
    with pytest.raises(TrainingDataError, match="is not a folder"):
        read_pairs(tmp_path / "nowhere")


def test_the_published_layout_is_read_with_its_prompts(tmp_path: Path) -> None:
    pairs = read_pairs(write_published(tmp_path / "data", 3, prompt="a red disc"))
    assert [pair.stem for pair in pairs] == ["target/case00", "target/case01", "target/case02"]
    assert {pair.prompt for pair in pairs} == {"a red disc"}
    assert pairs[1].mask.parent.name == "source"


LINES = {
    "not json": ("{", "must be an object with source, target and prompt"),
    "a list": ("[1, 2]", "must be an object"),
    "no target": (json.dumps({"source": "source/case00.png"}), "must be an object"),
    "a number": (json.dumps({"source": 1, "target": 2}), "must be an object"),
    "a null byte": (json.dumps({"source": "a\0b", "target": "c"}), "must be an object"),
    "out of the folder": (json.dumps({"source": "../secret.png", "target": "target/case00.png"}), "must lie in the folder"),
    "an absolute path": (json.dumps({"source": "/etc/hostname", "target": "target/case00.png"}), "must lie in the folder"),
    "no such file": (json.dumps({"source": "source/x.png", "target": "target/case00.png"}), "x.png does not exist"),
    "a folder": (json.dumps({"source": "source", "target": "target/case00.png"}), "source does not exist"),
}


@pytest.mark.parametrize("name", LINES)
def test_a_bad_line_of_the_published_list_is_named_by_number(tmp_path: Path, name: str) -> None:
    line, said = LINES[name]
    folder = write_published(tmp_path / "data", 2)
    with (folder / "prompt.json").open("a", encoding="utf-8") as stream:
        stream.write("\n" + line + "\n")
    (offender,) = offenders_of(folder)
    assert offender.startswith("prompt.json line 4: ")
    assert said in offender


def test_an_image_listed_twice_is_named(tmp_path: Path) -> None:
    folder = write_published(tmp_path / "data", 2)
    with (folder / "prompt.json").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"source": "source/case01.png", "target": "./target/../target/case00.png"}) + "\n")
    assert offenders_of(folder) == ("target/case00: listed more than once in prompt.json",)


def test_equal_names_in_two_folders_are_two_images(tmp_path: Path) -> None:
    folder = write_published(tmp_path / "data", 1)
    save(picture(5)[0], folder / "other" / "case00.png")
    with (folder / "prompt.json").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"source": "source/case00.png", "target": "other/case00.png"}) + "\n")
    assert [pair.stem for pair in read_pairs(folder)] == ["other/case00", "target/case00"]


def test_a_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = write_published(tmp_path / "data", 1)
    (folder / "prompt.json").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(TrainingDataError, match="UTF-8"):
        read_pairs(folder)


@pytest.mark.parametrize("foreground", [1, 255])
def test_black_and_white_masks_become_zero_and_one(tmp_path: Path, foreground: int) -> None:
    _, masks = load_arrays(read_pairs(write_pairs(tmp_path / "data", 3, foreground=foreground)), (32, 32), 3)
    assert set(np.unique(masks)) == {0, 1}
    assert (masks[0] == picture(0)[1]).all()


def test_masks_of_many_classes_keep_their_numbers(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 2)
    labels = disc(32, (10, 10), 6) * np.uint8(3) + disc(32, (24, 24), 4) * np.uint8(7)
    save(labels.astype(np.uint8), folder / "masks" / "case00.png")
    save(labels.astype(np.uint8), folder / "masks" / "case01.png")
    _, masks = load_arrays(read_pairs(folder), (16, 16), 1)
    assert set(np.unique(masks)) == {0, 3, 7}


def test_a_black_and_white_mask_survives_jpeg(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 1, side=128)
    (folder / "masks" / "case00.png").unlink()
    save(picture(0, 128)[1] * np.uint8(255), folder / "masks" / "case00.jpg")
    _, masks = load_arrays(read_pairs(folder), (128, 128), 3)
    assert (masks[0] != picture(0, 128)[1]).mean() < 0.002


def test_sixteen_bits_are_scaled_not_cut(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 1)
    (folder / "images" / "case00.png").unlink()
    ramp = np.linspace(1000, 40_000, 32 * 32).reshape(32, 32).astype(np.uint16)
    save(ramp, folder / "images" / "case00.png")
    images, _ = load_arrays(read_pairs(folder), (32, 32), 1)
    assert (images.min(), images.max()) == (0, 255)
    assert (np.diff(images[0, 0].ravel().astype(int)) >= 0).all()


def test_no_pairs_give_empty_arrays() -> None:
    images, masks = load_arrays((), (8, 16), 3)
    assert (images.shape, masks.shape) == ((0, 3, 8, 16), (0, 8, 16))


def test_the_same_picture_twice_counts_once(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 4)
    save(picture(1)[0], folder / "images" / "case03.png")
    assert [pair.stem for pair in without_duplicates(read_pairs(folder))] == ["case00", "case01", "case02"]


def test_look_alikes_share_a_group_and_others_do_not(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 4)
    brighter = np.clip(picture(0)[0].astype(int) + 9, 0, 255).astype(np.uint8)
    save(brighter, folder / "images" / "case03.png")
    groups = [pair.group for pair in group_near_duplicates(read_pairs(folder))]
    assert groups[0] == groups[3] == "case00"
    assert len(set(groups)) == 3


def test_mirror_images_share_a_group_and_images_upside_down_do_not(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 5)
    save(picture(0)[0][:, ::-1], folder / "images" / "case02.png")
    save(picture(1)[0][::-1], folder / "images" / "case04.png")
    groups = [pair.group for pair in group_near_duplicates(read_pairs(folder))]
    assert groups == ["case00", "case01", "case00", "case03", "case04"]


def test_likeness_carries_over(tmp_path: Path) -> None:
    """a like b and b like c puts all three together, though a and c alone are not alike enough."""
    folder, rng = write_pairs(tmp_path / "data", 3), np.random.default_rng(0)
    start, drift = rng.normal(120, 30, (32, 32, 3)), rng.normal(0, 4, (32, 32, 3))
    for i, share in ((0, 0), (2, 1), (1, 2)):
        save((start + share * drift).clip(0, 255).astype(np.uint8), folder / "images" / f"case0{i}.png")
    pairs = read_pairs(folder)
    thresholds = np.linspace(0.9, 0.9999, 400)
    counts = [len({pair.group for pair in group_near_duplicates(pairs, at)}) for at in thresholds[::40]]
    assert counts[0] == 1
    assert counts == sorted(counts)


def table(folder: Path, rows: list[str], header: str = "file,patient,kind") -> Path:
    path = folder / "metadata.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    return path


def test_a_table_gives_groups_and_options(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "data", 2)
    csv = table(tmp_path, ["case00.png,p1,flat", "case01,p1,sessile"])
    pairs = read_pairs(folder, Columns(csv, "patient", {"shape": "kind"}))
    assert [pair.group for pair in pairs] == ["p1", "p1"]
    assert [pair.options for pair in pairs] == [{"shape": "flat"}, {"shape": "sessile"}]


def test_a_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder, csv = write_pairs(tmp_path / "data", 1), table(tmp_path, ["case00.png,p1,flat"])
    with pytest.raises(TrainingDataError, match=r"metadata\.csv has no column 'nurse'"):
        read_pairs(folder, Columns(csv, "nurse"))
    with pytest.raises(TrainingDataError, match="has no column"):
        read_pairs(folder, Columns(table(tmp_path, []), "patient"))


def test_every_image_without_a_row_is_named(tmp_path: Path) -> None:
    folder, csv = write_pairs(tmp_path / "data", 4), table(tmp_path, ["case02.png,p1,flat"])
    missing = offenders_of(folder, Columns(csv, "patient"))
    assert missing == tuple(f"case0{i}.png: no row in metadata.csv" for i in (0, 1, 3))


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"nowhere\.csv does not exist"):
        read_pairs(write_pairs(tmp_path / "data", 1), Columns(tmp_path / "nowhere.csv", "patient"))
