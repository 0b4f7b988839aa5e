"""How the panel meets a newcomer: tabs in their order, the first lamp, a card that leaves one button to press."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import qt
from MedSynthLib import tumor_roi
from MedSynthLib.panel import Panel

from medsynth_core.engines._base import get_engine
from medsynth_core.protocol import Capabilities, EngineInfo
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import volume_node

ENGINES = tuple(get_engine(name).describe() for name in ("nuclei", "refine", "synthesize", "tumor"))


def offer(panel: Panel, *engines: EngineInfo) -> None:
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=engines))


def test_the_tabs_run_as_the_cards_do_and_an_engine_nobody_knows_comes_last(lone_panel: Panel) -> None:
    offer(lone_panel, EngineInfo("fifth", "New"), *ENGINES)
    tabs = lone_panel._ui.tabs
    assert [tabs.tabText(n) for n in range(tabs.count)] == ["Synthesize", "Refine", "Tumor", "Nuclei", "Fifth"]
    for number, name in enumerate(("synthesize", "refine", "tumor", "nuclei", "fifth")):
        tabs.setCurrentIndex(number)
        assert lone_panel.page is not None
        assert lone_panel.page.engine.name == name


def test_a_tumor_s_box_begins_in_a_new_head_while_a_volume_is_only_looked_at(lone_panel: Panel, lone_widget: Any) -> None:
    offer(lone_panel, *ENGINES)
    lone_widget.logic.settings().image = volume_node(np.diag([200.0, 200, 200, 1]))
    lone_panel._ui.tumorCard.click()
    assert np.allclose(tumor_roi.read(lone_panel.placing.box)[0], (0, 0, 0), atol=1e-3)


def test_a_tumor_s_box_begins_in_the_volume_it_grows_into(lone_panel: Panel, lone_widget: Any) -> None:
    offer(lone_panel, *ENGINES)
    lone_widget.logic.settings().image = volume_node(np.diag([2.0, 2, 2, 1]))
    lone_panel._ui.tabs.setCurrentIndex(list(lone_panel.pages).index("tumor"))
    lone_panel.pages["tumor"].use("background", True)
    lone_panel._ui.boxButton.setChecked(True)
    assert np.allclose(tumor_roi.read(lone_panel.placing.box)[0], (5, 4, 3), atol=1e-3)


def test_an_engine_without_an_environment_is_not_called_a_problem(lone_panel: Panel, lone_widget: Any) -> None:
    button = lone_panel._ui.engineButton
    MainThread().until(lambda: "Starting" not in button.text, 30)
    assert button.text == "● Not set up yet"
    assert "environment" in button.toolTip
    assert lone_panel._ui.environmentRow.isVisibleTo(lone_widget.page)


def test_a_short_form_stays_on_top_of_its_tab(lone_panel: Panel, lone_widget: Any) -> None:
    offer(lone_panel, *ENGINES)
    lone_panel._ui.tabs.setCurrentIndex(list(lone_panel.pages).index("synthesize"))
    shown(lone_widget)
    page = lone_panel.pages["synthesize"]
    assert page.form.page.geometry.bottom() < page.page.height / 2
    assert page.form.page.height < 80, "one row, however high the tab is"


def test_the_job_s_name_gets_the_room_that_the_short_columns_leave(lone_panel: Panel, lone_widget: Any) -> None:
    shown(lone_widget)
    table = lone_panel._ui.historyTable
    widths = [table.columnWidth(n) for n in range(table.columnCount)]
    assert widths[0] > max(widths[1:])
    assert sum(widths) <= table.width


def shown(widget: Any) -> None:
    widget.page.window().resize(420, 1500)
    widget.page.window().show()
    MainThread().rest(0.05)


def test_the_pages_of_an_earlier_offer_are_deleted(lone_panel: Panel) -> None:
    """Each refresh of the models draws the forms anew: in a day of work that is many."""

    def widgets_after_an_offer() -> int:
        offer(lone_panel, *ENGINES)
        gc.collect()
        qt.QCoreApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
        return len(qt.QApplication.allWidgets())

    assert widgets_after_an_offer() == widgets_after_an_offer() == widgets_after_an_offer()
    assert lone_panel._ui.tabs.count == len(ENGINES)
    for page in lone_panel.pages.values():
        assert page.values()
