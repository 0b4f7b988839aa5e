"""The voxels of a case: one orientation whatever the file's, one grid, no value changed."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsynth_core.errors import FormatError, InputError, ShapeError
from medsynth_core.formats import write
from medsynth_core.imaging.orientation import axes_of, canonical
from medsynth_core.training.volume_cases import Case
from medsynth_core.training.volumes import read_cases, read_stack
from medsynth_core.volume import Volume
from tests.toy_volumes import LPS, SIZE, head, save_volume

CODES = ["".join(code) for axes in itertools.permutations(("RL", "AP", "SI")) for code in itertools.product(*axes)]


def case_in(folder: Path, image: np.ndarray, mask: np.ndarray, channel: int | None = None, affine: np.ndarray = LPS) -> Case:
    paths = [save_volume(array, folder / name, affine) for array, name in ((image, "flair.nii.gz"), (mask, "seg.nii.gz"))]
    return Case("a", "a", paths[0], paths[1], channel)


def turned(array: np.ndarray, codes: str) -> nibabel.Nifti1Image:
    """The same voxels stored with axes along `codes`, as another scanner would."""
    image = nibabel.Nifti1Image(array, LPS)
    wanted = nibabel.orientations.axcodes2ornt(codes)
    return image.as_reoriented(nibabel.orientations.ornt_transform(nibabel.io_orientation(LPS), wanted))


@pytest.mark.parametrize("codes", CODES)
def test_every_orientation_gives_the_same_stack(tmp_path: Path, codes: str) -> None:
    image, mask = head(1)
    for array, name in ((image, "flair.nii.gz"), (mask, "seg.nii.gz")):
        nibabel.save(turned(array, codes), tmp_path / name)
    stack = read_stack(Case("a", "a", tmp_path / "flair.nii.gz", tmp_path / "seg.nii.gz"))
    assert np.array_equal(stack.image, image.T)
    assert np.array_equal(stack.mask, mask.T > 0)
    assert stack.spacing_mm == (10, 2, 2)


def test_image_and_mask_may_be_stored_along_different_axes(tmp_path: Path) -> None:
    image, mask = head(2)
    nibabel.save(turned(image, "RAS"), tmp_path / "flair.nii.gz")
    nibabel.save(turned(mask, "SPL"), tmp_path / "seg.nii.gz")
    stack = read_stack(Case("a", "a", tmp_path / "flair.nii.gz", tmp_path / "seg.nii.gz"))
    assert np.array_equal(stack.mask, mask.T > 0)


def test_axes_run_to_the_left_the_back_and_up() -> None:
    ramp = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)  # (c, z, y, x)
    volume = Volume(ramp, np.diag([1.0, 2.0, 3.0, 1.0]))  # x to the right, y to the front
    turned = canonical(volume)
    assert axes_of(turned.affine) == "LPS"
    assert np.array_equal(turned.array, ramp[:, :, ::-1, ::-1])
    corner = turned.affine @ [0, 0, 0, 1]
    assert np.allclose(corner, volume.affine @ [3, 2, 0, 1])  # the same voxel at the same place


def test_an_oblique_scan_is_turned_to_the_nearest_axes_and_keeps_its_place() -> None:
    angle = 0.4
    affine = np.eye(4)
    affine[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    turned = canonical(Volume(np.zeros((1, 5, 6, 7)), affine))
    assert axes_of(turned.affine) == "LPS"
    assert turned.spacing_mm == pytest.approx((1, 1, 1))


def test_a_case_may_be_ome_zarr_or_have_a_mask_of_another_format(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    image, mask = head(8)
    (folder / "a").mkdir(parents=True)
    write(folder / "a" / "flair.ome.zarr", Volume(image.T[None], LPS), {"synthetic": True})
    save_volume(mask, folder / "a" / "seg.nii.gz")
    (case,) = read_cases(folder)
    stack = read_stack(case)
    assert np.array_equal(stack.image, image.T)
    assert np.array_equal(stack.mask, mask.T > 0)


def test_intensities_come_as_they_are_stored(tmp_path: Path) -> None:
    image, mask = head(3)
    image = (image * 100 - 1000).astype(np.int16)
    stack = read_stack(case_in(tmp_path, image, mask))
    assert stack.image.dtype == np.float32
    assert np.array_equal(stack.image, image.T)
    assert stack.mask.dtype == np.bool_


def test_tumor_is_every_label_or_those_chosen(tmp_path: Path) -> None:
    image, _ = head(4)
    labels = np.zeros(SIZE, np.uint8)
    labels[3, 3, 3], labels[5, 5, 5], labels[7, 7, 7] = 1, 2, 4
    case = case_in(tmp_path, image, labels)
    assert read_stack(case).mask.sum() == 3
    assert np.argwhere(read_stack(case, (4,)).mask).tolist() == [[7, 7, 7]]
    assert read_stack(case, (1, 4)).mask.sum() == 2
    assert not read_stack(case, (9,)).mask.any()


def test_a_height_given_decides_the_slice_distance_alone(tmp_path: Path) -> None:
    stack = read_stack(case_in(tmp_path, *head(5)), (), 145.0)
    assert stack.spacing_mm == (14.5, 2, 2)


@pytest.mark.parametrize("channel", [0, 2])
def test_an_entry_of_the_fourth_axis_is_chosen_by_index(tmp_path: Path, channel: int) -> None:
    images, mask = np.stack([head(i)[0] for i in range(3)], axis=-1), head(0)[1]
    stack = read_stack(case_in(tmp_path, images, mask, channel))
    assert np.array_equal(stack.image, images[..., channel].T)


@pytest.mark.parametrize(
    ("channel", "said"), [(None, "choose an entry with --modality 0 to 2"), (3, "--modality 3 is none of them")]
)
def test_a_fourth_axis_without_or_beyond_an_index_is_refused(tmp_path: Path, channel: int | None, said: str) -> None:
    images = np.stack([head(i)[0] for i in range(3)], axis=-1)
    with pytest.raises(ShapeError, match=said):
        read_stack(case_in(tmp_path, images, head(0)[1], channel))


def test_a_mask_on_another_grid_or_with_a_fourth_axis_is_refused(tmp_path: Path) -> None:
    image, mask = head(6)
    shifted = LPS.copy()
    shifted[0, 3] = 31.0
    case = case_in(tmp_path, image, mask)
    save_volume(mask, case.mask, shifted)
    with pytest.raises(ShapeError, match="different places"):
        read_stack(case)
    save_volume(np.stack([mask, mask], axis=-1), case.mask)
    with pytest.raises(FormatError, match="a mask has one"):
        read_stack(case)


def test_a_header_that_claims_too_much_is_refused_before_it_is_believed(tmp_path: Path) -> None:
    case = case_in(tmp_path, *head(7))
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.float64)
    header["dim"] = [4, 2000, 2000, 2000, 100, 1, 1, 1]
    header["magic"], header["vox_offset"] = b"n+1", 352
    case.image.write_bytes(header.binaryblock + bytes(4))
    with pytest.raises(InputError, match=r"named as|GiB can be read"):
        read_stack(case)
