"""The page of a study: the answer first, every figure with its interval, synthetic pictures marked, nothing loaded."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from medsynth_core.studies.arms import ARMS
from medsynth_core.studies.downstream import Cell, Findings
from medsynth_core.studies.downstream_page import Recipe, downstream_page
from medsynth_core.studies.items import Item
from medsynth_core.studies.table import rows_of
from tests.studies.toy_study import toy_generator, toy_item

COMMAND = "msynth evaluate downstream data --model toy -o out"


def page_of(folder: Path, figures: tuple[str, ...] = ("dice",), data: str = "discs") -> str:
    rng = np.random.default_rng(0)
    cells = [Cell(segmenter, percent, arm) for segmenter in ("ours", "monai") for percent in (10, 100) for arm in ARMS]
    scores = {cell: 0.2 * rng.uniform(size=(3, 12, len(figures))) + 0.5 for cell in cells}
    groups = tuple(str(i // 2) for i in range(12))
    found = Findings(figures, scores, groups, {10: ("a",), 100: ("a", "b")}, {10: 8, 100: 80}, {}, 5, 1.0, 1.0)
    generator = toy_generator(folder / "model")
    generator = replace(generator, note="It knows <nothing>.")
    real, made = [[toy_item(f"{what} {i}", "g", i) for i in range(2)] for what in ("real", "made")]
    return downstream_page(
        rows_of(found), Recipe(data, COMMAND, {"Filter": "none"}, {10: generator}, {10: (real, made)}, {"cores": 4}, 3600, 60)
    )


def test_each_arm_has_a_row_for_each_fraction_segmenter_and_figure(tmp_path: Path) -> None:
    page = page_of(tmp_path, ("dice", "aji", "pq"))
    assert page.count("<tr><td>") == 2 * 2 * len(ARMS) * 3
    assert page.count("<svg") == 2 * 3
    for title in ("Dice × 100", "AJI × 100", "PQ × 100", "our U-Net", "MONAI"):
        assert title in page


def test_synthetic_pictures_are_called_so_and_real_ones_are_not(tmp_path: Path) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page_of(tmp_path))
    assert captions == ["Real", "Real", "Synthetic", "Synthetic"]


def test_command_machine_cost_and_generator_are_told(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    for told in (COMMAND, "cores 4", "1.00 h of one core", "Toy (toy), 7 steps", "It knows &lt;nothing&gt;.", "CC0"):
        assert told in page


def test_the_page_loads_nothing_and_runs_nothing(tmp_path: Path) -> None:
    page = page_of(tmp_path, data="<script>alert(1)</script>")
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "default-src 'none'" in page


def test_tags_are_closed_in_order(tmp_path: Path) -> None:
    class Nesting(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            self.open += [] if tag in ("meta", "img") else [tag]

        def handle_endtag(self, tag: str) -> None:
            if tag != "path":
                assert self.open.pop() == tag

        def handle_startendtag(self, tag: str, attrs: object) -> None:
            pass

    nesting = Nesting()
    nesting.feed(page_of(tmp_path))
    assert nesting.open == []


def test_charts_are_well_formed_and_hold_every_mean(tmp_path: Path) -> None:
    charts = re.findall(r"<svg.*?</svg>", page_of(tmp_path), re.S)
    for chart in charts:
        titles = [node.text or "" for node in ElementTree.fromstring(chart).iter("title")]
        assert len(titles) == 2 * len(ARMS)
        assert all(re.search(r": \d+\.\d \(\d+\.\d to \d+\.\d\)", title) for title in titles)


def test_few_seeds_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = {Cell("ours", 10, arm): rng.uniform(size=(1, 4, 1)) for arm in ARMS}
    found = Findings(("dice",), scores, ("a", "b", "c", "d"), {10: ("a",)}, {10: 8}, {}, 5, 1.0, 1.0)
    page = downstream_page(rows_of(found), Recipe("discs", COMMAND, {}, {}, {}, {}, 1, 1))
    assert "Here 1 only" in page
    assert "Here 3 only" not in page_of(tmp_path)


@pytest.mark.parametrize("slices", [1, 5])
def test_a_volume_is_shown_by_the_slice_that_shows_most(slices: int) -> None:
    from medsynth_core.studies.downstream_page import _pane

    image = np.zeros((slices, 3, 32, 32), np.uint8)
    labels = np.zeros((slices, 32, 32), np.int32)
    image[-1], labels[-1, 4:20, 4:20] = 200, 1
    item = Item("v", "g", image, labels)
    assert _pane("Real", item).png != _pane("Real", replace(item, image=image * 0)).png
