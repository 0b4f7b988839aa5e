"""The report page: what it shows is what happened, and it needs nothing but itself."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation import report
from medsynth_core.evaluation.comparison import Pictured, View, figures, views
from medsynth_core.evaluation.pictures import ADDED, REMOVED, Plane, box_of_interest, displayed, panes
from medsynth_core.evaluation.report import Album, Entry, page
from medsynth_core.protocol import ModelCard
from medsynth_core.volume import Volume

CARD = ModelCard("refiner", "Refiner", "refine", 3, (96, 96), (), "CC BY 4.0", "PolypGen", attribution="Ali et al.")
PARAMS = {"steps": 6, "strength": "redraw", "clahe": False, "smooth": 0.5, "coarse": ""}


def labels(*boxes: tuple[int, int, int, int], size: int = 60, value: int = 1) -> np.ndarray:
    made = np.zeros((size, size), np.uint8)
    for top, left, bottom, right in boxes:
        made[top:bottom, left:right] = value
    return made


def volume(*planes: np.ndarray, affine: np.ndarray | None = None) -> Volume:
    return Volume(np.stack(planes)[None], np.eye(4) if affine is None else affine)


def entry(name: str, changed: int, views: tuple[View, ...] = ()) -> Entry:
    before, after = labels((10, 10, 30, 30)), labels((10, 10, 30, 30))
    after.flat[:changed] = 1
    return Entry(name, figures(before, after), 1.25, views=views)


def picture(name: str = "p") -> tuple[View, ...]:
    mask = volume(labels((10, 10, 30, 30)))
    return views(Pictured(name, volume(labels(size=60)), mask, mask, None))


def decoded(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def near(pixels: np.ndarray, color: str, within: int = 60) -> np.ndarray:
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return np.abs(pixels - rgb).sum(axis=2) < within


class Tags(HTMLParser):
    """Collects all attributes, and complains of tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_figures_count_what_changed_by_kind() -> None:
    before = labels((0, 0, 10, 10))
    after = labels((0, 5, 10, 15))
    after[0, 5] = 2
    made = figures(before, after)
    assert (made.before, made.after, made.added, made.removed, made.relabeled, made.changed) == (100, 100, 50, 50, 1, 101)
    assert made.dice == pytest.approx((2 * 49 / (100 + 99) + 0) / 2)


def test_figures_of_equal_masks_are_whole() -> None:
    assert figures(labels((1, 1, 5, 5)), labels((1, 1, 5, 5))).dice == 1
    assert figures(labels(), labels()).dice == 1


def test_without_a_mask_before_there_is_nothing_to_compare() -> None:
    made = figures(None, labels((0, 0, 3, 3)))
    assert (made.after, made.changed, made.dice) == (9, None, None)


def test_masks_of_two_shapes_are_refused() -> None:
    with pytest.raises(ShapeError, match="must match"):
        figures(labels(), labels(size=20))


def test_the_enlarged_part_holds_the_mask_before_and_after() -> None:
    plane = Plane(np.zeros((60, 60, 3), np.uint8), labels((2, 30, 6, 34)), labels((20, 40, 28, 50)), None, (1, 1), (1,))
    box = box_of_interest(plane)
    assert box.top <= 2
    assert box.bottom >= 28
    assert box.left <= 30
    assert box.right >= 50
    assert min(box.bottom - box.top, box.right - box.left) >= 28


def test_additions_are_blue_and_removals_orange() -> None:
    before, after = labels((10, 10, 40, 30)), labels((10, 20, 40, 50))
    plane = Plane(np.full((60, 60, 3), 90, np.uint8), before, after, np.zeros((60, 60), np.uint8), (1, 1), (1,))
    by_title = {pane.title: pane for pane in panes(plane)}
    assert list(by_title) == ["Whole picture", "Before", "After", "What changed", "Uncertainty"]
    changed = decoded(by_title["What changed"].png)
    assert changed.shape[:2] == by_title["What changed"].size
    blue, orange = (np.argwhere(near(changed, color)) for color in (ADDED, REMOVED))
    assert len(blue) > 100
    assert len(orange) > 100
    assert orange[:, 1].mean() < blue[:, 1].mean()


def test_uncertain_places_glow_and_sure_ones_do_not() -> None:
    unsure = np.zeros((60, 60), np.uint8)
    unsure[30:36, 30:36] = 255
    mask = labels((10, 10, 50, 50))
    heat = decoded(panes(Plane(np.full((60, 60, 3), 60, np.uint8), mask, mask, unsure, (1, 1), (1,)))[-1].png).sum(axis=2)
    assert np.argwhere(heat > 500).size
    assert (heat > 300).mean() < 0.1


def test_an_empty_mask_gives_pictures_of_everything() -> None:
    empty = volume(labels())
    made = views(Pictured("e", volume(labels((0, 0, 9, 9))), empty, empty, None))
    assert [pane.title for pane in made[0].panes] == ["Whole picture", "Before", "After", "What changed"]


def test_a_volume_shows_the_planes_that_changed_most() -> None:
    before = [labels((10, 10, 20, 20)) for _ in range(9)]
    after = [plane.copy() for plane in before]
    for z, extent in ((2, 30), (5, 28), (7, 26), (8, 21)):
        after[z] = labels((10, 10, extent, extent))
    made = views(Pictured("v", volume(*before), volume(*before), volume(*after), None))
    assert [view.caption for view in made] == ["z = 2, of 0 to 8", "z = 5, of 0 to 8", "z = 7, of 0 to 8"]


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_a_volume_is_cut_along_the_axis_it_was_refined_along(axis: str) -> None:
    mask = np.zeros((1, 4, 5, 6), np.uint8)
    mask[0, 1:3, 1:4, 2:5] = 1
    made = views(Pictured("v", Volume(mask), Volume(mask), Volume(mask), Volume(mask), axis, in_space=True))
    assert made
    assert all(view.caption.startswith(f"{axis} = ") for view in made)


@pytest.mark.parametrize(("right", "anterior"), [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_a_plane_in_space_is_shown_as_radiologists_look_at_it(right: int, anterior: int) -> None:
    """A mark at the patient's right front stands at the upper left, however the file stores it."""
    affine = np.diag([right, anterior, 1.0, 1.0])
    stored = np.zeros((60, 60), np.uint8)
    x, y = (50 if right > 0 else 9), (50 if anterior > 0 else 9)
    stored[y - 4 : y + 5, x - 4 : x + 5] = 255
    empty = volume(labels(), affine=affine)
    made = views(Pictured("v", volume(stored, affine=affine), None, empty, None, in_space=True))
    bright = np.argwhere(decoded(made[0].panes[0].png).sum(axis=2) > 600)
    assert (bright.mean(axis=0) < 150).all()


def test_a_file_without_a_place_in_space_is_not_turned() -> None:
    image = labels((0, 0, 9, 9), value=255)
    made = views(Pictured("v", volume(image), None, volume(labels()), None))
    assert (np.argwhere(decoded(made[0].panes[0].png).sum(axis=2) > 600).mean(axis=0) < 60).all()


def test_voxels_are_shown_in_their_true_proportions() -> None:
    tall = Volume(np.ones((1, 1, 20, 20), np.uint8), np.diag([1.0, 3.0, 1.0, 1.0]))
    height, width = views(Pictured("v", tall, None, tall, None, in_space=True))[0].panes[0].size
    assert height == pytest.approx(3 * width, abs=2)


def test_deep_grey_is_stretched_and_color_left_alone() -> None:
    deep = np.linspace(-1000, 3000, 3600).reshape(60, 60).astype(np.int16)
    assert displayed(deep).min() == 0
    assert displayed(deep).max() == 255
    color = np.full((4, 4, 3), 17, np.uint8)
    np.testing.assert_array_equal(displayed(color), color)
    assert not displayed(np.full((4, 4), 7.0)).any()


def test_the_page_needs_nothing_but_itself() -> None:
    album = Album()
    album.add(entry("a", 5, picture()))
    text = page(album, [], PARAMS, CARD)
    tags = Tags(text)
    assert not tags.open
    assert not re.findall(r"https?:|//[a-z]|url\(|@import", re.sub(r"data:image/png;base64,[\w+/=]+", "", text))
    assert {tag for tag, _ in tags.seen}.isdisjoint({"script", "link", "iframe", "object", "embed", "form"})
    sources = [attributes["src"] or "" for tag, attributes in tags.seen if tag == "img"]
    assert sources
    for source in sources:
        assert decoded(base64.b64decode(source.removeprefix("data:image/png;base64,"), validate=True)).any()
    assert "default-src 'none'" in text


def test_names_and_reasons_are_text_and_nothing_else() -> None:
    album = Album()
    evil = '<script>alert("x")</script>&é'
    album.add(entry(evil, 5, picture(evil)))
    text = page(album, [(evil, "<img src=x onerror=y>")], {"coarse": evil}, CARD)
    assert "<script" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;" in text
    assert not Tags(text).open


def test_what_changed_most_comes_first() -> None:
    album = Album()
    for name, changed in (("little", 3), ("much", 200), ("some", 40), ("nothing", 0)):
        album.add(entry(name, changed))
    text = page(album, [], PARAMS, CARD)
    assert sorted(("little", "much", "some", "nothing"), key=text.index) == ["much", "some", "little", "nothing"]


def test_only_the_cases_that_changed_most_keep_their_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_PICTURED", 2)
    album = Album()
    for name, changed in (("a", 3), ("b", 200), ("c", 40), ("d", 1)):
        album.add(entry(name, changed, picture()))
    assert [(e.name, bool(e.views)) for e in album.entries()] == [("b", True), ("c", True), ("a", False), ("d", False)]
    assert "pictures of the 2 that changed most" in page(album, [], PARAMS, CARD)


def test_the_page_tells_failures_parameters_model_and_license() -> None:
    album = Album()
    album.add(Entry("b", figures(None, labels((0, 0, 3, 3))), None, kept="label 2 at z 4", note="Made in an earlier run."))
    text = page(album, [("c", "mask is empty")], PARAMS, CARD)
    for words in (
        "1 not shown",
        "mask is empty",
        "redraw",
        "0.5",
        "CC BY 4.0",
        "PolypGen",
        "Ali et al.",
        "never for diagnosis",
    ):
        assert words in text
    assert "label 2 at z 4" in text


def test_where_nothing_was_before_the_page_tells_what_is_painted() -> None:
    album = Album()
    mask = volume(labels((0, 0, 30, 30)))
    album.add(Entry("b", figures(None, mask.array), views=views(Pictured("b", mask, None, mask, mask))))
    text = page(album, [], PARAMS, CARD)
    assert "<td>900</td>" in text
    assert "drawn by the coarse network" in text
    assert "Dice" not in text


def test_a_page_of_failures_only_is_a_page() -> None:
    assert not Tags(page(Album(), [("a", "b")], {}, CARD)).open
