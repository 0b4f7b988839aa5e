"""The panel: shows the engine's state, draws forms from what the service offers, starts runs, lets volumes grow.

It lives on Slicer's main thread; what waits for the service happens on the session's threads and comes here by the courier.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import qt
import slicer

from medsynth_core import job_results, places
from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix, blocking
from medsynth_core.protocol import Capabilities, JobInfo, LabelInfo, OutputInfo
from medsynth_core.run import Ending, Made, Run, RunProgress, RunRequest
from medsynth_core.run_button import Mode
from medsynth_core.sentences import sentence
from medsynth_core.session import Session
from medsynth_core.tumor_words import PLACE
from MedSynthLib import checks, conversion, environment, inputs, results, scripting, segments, starter_cards, startup
from MedSynthLib.chip_row import COLORS, ChipRow
from MedSynthLib.courier import Courier
from MedSynthLib.editor import Editor
from MedSynthLib.engine_menu import EngineMenu
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.environment import Chosen
from MedSynthLib.environment_desk import EnvironmentDesk
from MedSynthLib.environment_row import EnvironmentRow
from MedSynthLib.fixing import Fixing
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.growth import Growth
from MedSynthLib.history import History
from MedSynthLib.jobs_desk import JobsDesk
from MedSynthLib.live_painting import LivePainting
from MedSynthLib.primary_button import PrimaryButton
from MedSynthLib.review import Review, Sent
from MedSynthLib.run_bar import RunBar
from MedSynthLib.settings import Settings
from MedSynthLib.starter_cards import Starter, StarterCards
from MedSynthLib.tumor_placing import TumorPlacing

LOOK_MS = 500
"""How often the chips look again: painting, scrolling and fields change what they say."""
DRAWN = "drawn"
PLAIN = (LabelInfo(1, "lesion", "#f28e2b"),)
"""What is painted for an engine that takes any label."""
STARTING = "The engine is starting: one moment."
NOT_SET_UP = "Not set up yet"
ORDER = ("synthesize", "refine", "tumor", "nuclei")
"""How the tabs run; an engine that is not named here comes after those, under its own name."""


class Panel:
    """The logic behind the widgets `ui` of MedSynth.ui. `connect` opens the client, and may start the service."""

    def __init__(self, ui: Any, connect: Callable[[], Client] | None = None) -> None:
        self._ui = ui
        self._settings: Settings | None = None
        self._run: Run | None = None
        for selector in (ui.imageSelector, ui.maskSelector):  # a .ui file tells the scene through connections only
            selector.setMRMLScene(slicer.mrmlScene)
        self._seconds: dict[tuple[str, str], float] = {}
        self.chips = ChipRow(ui.chipLabel, self.fix)
        self.editor = Editor(ui.segmentEditor)
        self.review = Review(ui, self._say, self.editor.save_state, self._after_write)
        self._sent: Sent | None = None
        self._fixing = Fixing(ui.runButton, self.check)
        self.pages: dict[str, EnginePage] = {}
        self.button = PrimaryButton(ui.runButton, self.start, self.cancel)
        self.button.block(STARTING)
        self._bar = RunBar(ui.progressBar, self.button)
        self.cards = StarterCards(ui, self.begin)
        ui.tabs.connect("currentChanged(int)", lambda _: self.check())
        ui.newMaskButton.connect("clicked()", self.new_mask)
        self.placing = TumorPlacing(ui.boxButton, self._middle)
        self._courier = Courier()
        self.growth = Growth(ui, self._launch, self._courier.post)
        self.desk = EnvironmentDesk(places.state_folder(), self._courier.post, self.environment_told, *startup.begun())
        self._environment = EnvironmentRow(ui, self.desk)
        self.session = Session(self, self._courier.post, connect or scripting.connector())
        self.jobs = JobsDesk(ui, self.session, self.run_again, self.growth.doubt.take, self._courier.post)
        self.menu = EngineMenu(ui.engineButton, self.session, self._environment.ask)
        self.live = LivePainting(ui, self.session.run, self.review)
        self._look_timer = qt.QTimer()
        self._look_timer.setInterval(LOOK_MS)
        self._look_timer.connect("timeout()", self.check)

    def open(self) -> None:
        """Look for the service, and start it if there is none."""
        self.session.open()
        self.jobs.open()
        self._look_timer.start()

    def close(self) -> None:
        """Let go of everything; jobs under way go on, their results stay in the history."""
        self.jobs.close()
        self._look_timer.stop()
        self.live.end()
        self.editor.leave()
        self.menu.close()
        self.desk.cancel()
        self.session.close()
        self._courier.close()

    def set_settings(self, settings: Settings | None) -> None:
        """Work with other settings, None while the scene is closed."""
        if settings is None:
            self.live.end()
            self.editor.forget()
            self.placing.forget()
            self.review.forget()
            self.growth.forget()
        elif settings.image is not None:
            self.cards.fold()
        self._settings = settings
        self.check()

    @property
    def history(self) -> History:
        """The list of jobs."""
        return self.jobs.history

    def refresh_history(self) -> None:
        """Look at the jobs of all clients."""
        self.jobs.refresh()

    @property
    def growing(self) -> GrowingNodes | None:
        """The nodes of the newest run."""
        return self.growth.nodes

    @property
    def page(self) -> EnginePage | None:
        """The page of the engine that is shown."""
        return list(self.pages.values())[self._ui.tabs.currentIndex] if self.pages else None

    def check(self) -> None:
        """Say on the button whether a run can start, or why not."""
        page = self.page
        self.growth.look()
        self.placing.set_page(page)
        if page is None:
            self.button.block(STARTING)
            return
        self.button.set_verb(page.engine.name.capitalize())
        self._ui.shownBox.setVisible(bool(page.engine.inputs) and not page.engine.one_slice)
        self.review.show()
        if self._settings is not None:
            self.editor.show(self._settings.mask, self._settings.image)
        self.live.watch(page, self._settings)
        if self.button.mode is Mode.READY:
            self.chips.show(self._look(page))
            self.button.block(blocking(self.chips.chips))

    def _look(self, page: EnginePage) -> tuple[Chip, ...]:
        try:
            values = page.values()
        except MedSynthError as problem:
            return (Chip(Lamp.RED, "Not a number", f"{sentence(problem)}."),)
        device = self.session.status.device if self.session.status is not None else None
        looks = checks.look(page.engine, page.card, self._settings, values, page.used, page.chosen)
        return *looks, *checks.room(device, self._took(page))

    def _took(self, page: EnginePage) -> float | None:
        return self._seconds.get((page.engine.name, page.card.id if page.card is not None else ""))

    def fix(self, what: Fix) -> None:
        """Do what a chip offers."""
        page = self.page
        match what:
            case Fix.NEW_MASK:
                self.new_mask()
            case Fix.FREE_MEMORY:
                self.session.free_memory()
            case Fix.MAP_LABELS if page is not None and page.card is not None and self._settings is not None:
                self._fixing.map_labels(self._settings.mask, page.card.labels)
            case Fix.DRAW_PLACE if page is not None:
                page.set_values({PLACE: DRAWN})
        self.check()

    def new_mask(self) -> None:
        """Make segments to paint on, with the names and colors of the chosen model's labels, on the grid of the volume."""
        page, settings = self.page, self._settings
        if page is None or settings is None or settings.image is None:
            self._say("Choose a volume first: the segments are painted on its grid.")
            return
        labels = page.card.labels if page.card is not None and page.card.labels else PLAIN
        settings.mask = segments.new_segmentation(settings.image, labels, f"{settings.image.GetName()} mask")
        self.editor.show(settings.mask, settings.image)
        self.editor.take_brush()

    def start(self) -> None:
        """Start a run of the engine that is shown; what is missing is said, nothing is raised."""
        page, settings = self.page, self._settings
        if page is None or settings is None:
            return
        try:
            given = inputs.gather(page.engine, page.card, settings, page.used, page.chosen)
            values = page.values()
            self._sent = inputs.to_be_judged(page.engine, page.card, settings, given)
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.live.settle()
        source = inputs.source(page.engine, settings, page.chosen)
        labels = inputs.result_labels(page.engine, page.card, settings)
        self.growth.begin(results.name_for(page.engine, source), labels, source)
        model = page.card.id if page.card is not None else ""
        self._launch(RunRequest(page.engine.name, model, given, (settings.seed,), values, streams=True))

    def run_again(self, job: JobInfo) -> None:
        """Make a job of the list once more: same arrays, seed and parameters; its result grows like any other."""
        if self.button.mode is not Mode.READY:
            self._say("One run at a time: wait for this one, or cancel it.")
            return
        request, self._sent = job.request, None
        title = job_results.title(job, self._is_synthetic(request.engine))
        self.growth.begin(title, self._labels_of(request.model), None)
        self._launch(RunRequest(request.engine, request.model, {}, (request.seed,), {}, streams=True, again=job))

    def begin(self, starter: Starter) -> None:
        """Do what a starter card promises: data in the scene, the engine's tab in front, its values set."""
        page, settings = self.pages.get(starter.engine), self._settings
        if page is None or settings is None:
            return
        self._ui.tabs.setCurrentIndex(list(self.pages).index(starter.engine))
        try:
            missing = starter_cards.prepare(starter, page, settings)
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self._ui.boxButton.setChecked(starter.boxed)
        self._say(missing or starter.next)
        self.check()

    def _launch(self, request: RunRequest) -> None:
        self._say("")
        self.button.set_mode(Mode.RUNNING)
        self._run = self.session.run(request)

    def cancel(self) -> None:
        """Ask the run to stop; its slices are kept."""
        if self._run is not None:
            self.button.set_mode(Mode.CANCELLING)
            self._run.cancel()

    def _labels_of(self, model: str) -> tuple[LabelInfo, ...]:
        """Return the labels of a model by its id, none for one that takes any."""
        cards = (page.card_of(model) for page in self.pages.values())
        return next((card.labels for card in cards if card is not None), ())

    def environment_told(self, news: object) -> None:
        """An environment is being made or chosen, or that ended."""
        self._environment.told(news)
        if isinstance(news, Chosen):
            self.session.start_engine()

    def engine_changed(self, view: EngineView) -> None:
        """The pill has something new to say."""
        homeless = not view.running and environment.chosen(places.state_folder()) is None
        if homeless and view.lamp is Lamp.RED:
            view = replace(view, lamp=Lamp.AMBER, text=NOT_SET_UP)
        self.menu.show(view)
        self._environment.set_running(view.running)
        self._environment.show(homeless)
        self._ui.engineButton.setText(f"● {view.text}")
        self._ui.engineButton.setToolTip(view.detail)
        self._ui.engineButton.setStyleSheet(f"text-align: left; color: {COLORS[view.lamp]};")

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Draw the forms anew."""
        kept = {name: page.values() for name, page in self.pages.items()}
        shown = self.page.engine.name if self.page is not None else ""
        self._ui.tabs.clear()
        for page in self.pages.values():  # the tabs only let go of them
            page.close()
        engines = sorted((e for e in capabilities.engines if not e.problem), key=lambda engine: _rank(engine.name))
        self.pages = {engine.name: EnginePage(engine, capabilities) for engine in engines}
        for name, page in self.pages.items():
            page.set_values(kept.get(name, {}))
            self._ui.tabs.addTab(page.page, name.capitalize())
        if shown in self.pages:
            self._ui.tabs.setCurrentIndex(list(self.pages).index(shown))
        self.cards.offer(self.pages)
        self.check()

    def trouble(self, problem: MedSynthError) -> None:
        """Say what did not work."""
        self.menu.problem = problem
        self._say(f"{sentence(problem)}.")

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        """Show how far the run is."""
        if run is self._run:
            self._bar.progressed(progress)

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Make the node of an output, at full size."""
        if self.live.owns(run):
            self.live.announced(run, output)
        elif run is self._run:
            self.growth.announce(output)

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Put a slice in its place."""
        if self.live.owns(run):
            self.live.grew(run, output, z, pixels)
        elif run is self._run:
            self.growth.put(output, z, pixels)

    def run_made(self, run: Run, made: Made) -> None:
        """Write the recipe into the nodes."""
        if self.live.owns(run):
            self.live.made(run, made)
            return
        if run is self._run:
            self.growth.note(made.recipe, made.job)
        self._seconds[run.request.engine, run.request.model] = made.seconds

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Be ready for the next run."""
        if self.live.owns(run):
            if (trouble := self.live.ended(run, ending, problem)) is not None:
                self.trouble(trouble)
            return
        if run is not self._run:
            return
        self.growth.end(run, ending, self._is_synthetic(run.request.engine))
        preview = self.growth.nodes.nodes().get(inputs.MAIN_LABELS) if self.growth.nodes is not None else None
        if ending is Ending.DONE and preview is not None and self._sent is not None:
            self.review.offer(preview, self._sent)
        self._run = None
        self._bar.ended(ending)
        if ending is Ending.FAILED and problem is not None:
            self.trouble(problem)
        self.check()

    def _middle(self) -> tuple[float, float, float]:
        """Return where a tumor's box begins: the middle of the volume it grows into, else of the world, where new heads lie."""
        image = self._settings.image if self._settings is not None and self._sends_volume() else None
        return conversion.middle_of(image) if image is not None else (0.0, 0.0, 0.0)

    def _sends_volume(self) -> bool:
        """Return whether the chosen volume is one of the inputs of the engine that is shown."""
        page = self.page
        return page is not None and any(i.kind == "image" and (i.required or i.name in page.used) for i in page.engine.inputs)

    def _is_synthetic(self, engine: str) -> bool:
        return engine not in self.pages or self.pages[engine].engine.synthetic

    def _after_write(self) -> None:
        self.live.settle()

    def _say(self, text: str) -> None:
        self._ui.messageLabel.setText(text)


def _rank(engine: str) -> tuple[int, str]:
    return (ORDER.index(engine) if engine in ORDER else len(ORDER), engine)
