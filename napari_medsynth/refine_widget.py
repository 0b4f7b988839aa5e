"""The dock widget *Refine*: a rough mask on an image, click, and see what a better boundary would add and remove."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import napari
import napari.viewer

from medsynth_core import preflight
from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError, ShapeError
from medsynth_core.lamp import Lamp
from medsynth_core.live import Quality
from medsynth_core.live_draft import drafted
from medsynth_core.preflight import Chip, Fix
from medsynth_core.protocol import DeviceInfo, ModelCard, ParamInfo, Scalar
from medsynth_core.refine_preflight import check_mask
from medsynth_core.run import Ending, Made, Run, RunRequest
from napari_medsynth import amounts, first_mask, layers, refine_preflight
from napari_medsynth.diff import Diff
from napari_medsynth.engine_widget import EngineWidget
from napari_medsynth.live_driver import LiveDriver
from napari_medsynth.message_panel import Message
from napari_medsynth.placement import spatial_shape
from napari_medsynth.preview import Preview
from napari_medsynth.refine_desk import RefineDesk, Subject
from napari_medsynth.refine_panel import SLICE, STACK, STRENGTHS, RefinePanel
from napari_medsynth.review_bar import ReviewView
from napari_medsynth.session import connect_as_napari
from napari_medsynth.settings import Settings
from napari_medsynth.uncertainty_tour import UncertaintyTour

HAS_A_ROW = ("strength", "axis", "coarse")
"""Parameters that the panel sets by itself: strength has its row, the axis follows the viewer, a coarse network is asked for."""
SEED = 0
"""One seed for all runs: the same strokes give the same boundary, and a preview does not shimmer."""


class RefineWidget(EngineWidget):
    """The panel in one viewer; `connect` opens a client of the service."""

    panel: RefinePanel
    desk: RefineDesk

    def __init__(self, napari_viewer: napari.viewer.Viewer, connect: Callable[[], Client] = connect_as_napari) -> None:
        panel = RefinePanel(napari_viewer)
        super().__init__(napari_viewer, "refine", panel, RefineDesk(napari_viewer, panel), connect)
        self._subject: Subject | None = None
        self._strength = panel.strength.value
        self._spacing: amounts.Spacing = None
        self.preview = Preview(napari_viewer, self._show_review, self._after_write)
        self.tour = UncertaintyTour(napari_viewer, lambda: panel.review.uncertainty.setChecked(False))
        self.live = LiveDriver(napari_viewer, self.desk, panel.live, self)
        panel.scope.set_value(STACK if self.remembered.whole_stack else SLICE)
        self._wire_review()
        self.begin()

    def start_run(self) -> None:
        """Send the shown slice, or the whole stack, and preview what comes back."""
        self._start(lambda subject: self._request(subject, {}))

    def make(self, subject: Subject, quality: Quality) -> Run:
        """Start a run of live mode. Raises MedSynthError when the checks forbid it."""
        chips = self.look(None, None)
        if reason := self.model.lacking() or preflight.blocking(chips):
            raise MedSynthError(reason)
        asked = self._request(subject, {})
        draft = drafted(self.model.params(), asked.params) if quality is Quality.DRAFT else asked.params
        return self.session.run(dataclasses.replace(asked, params=draft))

    def place(self, made: Made) -> None:
        """Preview the result of the button's run and let clicks on the canvas go to it."""
        if self._subject is not None:
            self.present(made, self._subject, focus=True)

    def present(self, made: Made, subject: Subject, focus: bool) -> None:
        """Preview a result; one whose mask is gone stays in the history."""
        mask = subject.mask
        if mask not in self._viewer.layers or spatial_shape(mask) != subject.shape:
            return
        recipe = {**made.recipe, "job": made.job, "seed": made.seed}
        after = layers.as_pixels(subject.answer(made.outputs["mask"]), subject.cut).astype(subject.before.dtype)
        if after.shape != subject.before.shape:
            self.trouble(ShapeError(f"the refined mask is {after.shape}, the mask {subject.before.shape}: report this defect"))
            return
        self.panel.message.clear()
        self.show_quality(made)
        diff = Diff(subject.before, after, subject.cut.along)
        self._spacing = layers.spacing_mm(subject.cut)
        self.tour.take(subject.answer(made.outputs["uncertainty"]), subject.cut, recipe)
        self.tour.show(self.panel.review.uncertainty.isChecked())
        self.preview.show(mask, subject.cut, diff, recipe, focus)
        self._show_places()
        if kept := amounts.kept_text(made.recipe):
            self.panel.message.show_message(Message(Lamp.AMBER, kept))
        elif not diff.count and focus:
            self.panel.message.show_message(Message(Lamp.GREEN, "Nothing to change: the refined mask is the same as yours."))

    def run_made(self, run: Run, made: Made) -> None:
        """Take a result, of live mode or of the button."""
        if self.live.owns(run):
            self.live.made(run, made)
        else:
            super().run_made(run, made)

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Take the end of a run, of live mode or of the button."""
        if not self.live.owns(run):
            super().run_ended(run, ending, problem)
        elif (failed := self.live.ended(run, ending, problem)) is not None:
            self.trouble(failed)

    def look(self, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
        """Check image, mask and locks against each other, and say what the strengths mean on the shown slice."""
        desk = self.desk
        shown = None if desk.mask is None else desk.cut(whole=False)
        pixels = None if desk.mask is None or shown is None else layers.take(desk.mask, shown)
        self.panel.strength.say(amounts.strength_texts(pixels, layers.spacing_mm(shown) if shown else None))
        chips = refine_preflight.check_layers(desk.image, desk.mask, desk.locked)
        if preflight.blocking(chips) or desk.mask is None or pixels is None:
            return chips
        meant = layers.take(desk.mask, desk.cut(whole=True)) if desk.whole else pixels
        return (
            *chips,
            *check_mask(meant, desk.whole, self.model.card, bool(self._drawers())),
            *preflight.check_terms(self.model.card),
            *preflight.check_room(device, seconds),
        )

    def keep(self, settings: Settings) -> Settings:
        """Keep the scope."""
        return dataclasses.replace(settings, whole_stack=self.panel.scope.value == STACK)

    def shown_params(self, params: tuple[ParamInfo, ...]) -> tuple[ParamInfo, ...]:
        """Fold all away but those with a row of their own."""
        self._strength = next((str(info.default) for info in params if info.name == "strength"), self._strength)
        return tuple(dataclasses.replace(info, advanced=True) for info in params if info.name not in HAS_A_ROW)

    def restore(self, values: Mapping[str, Scalar]) -> None:
        """Show the last parameters and strength."""
        super().restore(values)
        self.panel.strength.set_value(str(values.get("strength", self._strength)))

    def run_size(self) -> str:
        """A run's time depends on how much is sent."""
        shape = () if self.desk.mask is None else spatial_shape(self.desk.mask)
        return f"{'stack' if self.desk.whole else 'slice'} {'x'.join(map(str, shape))}"

    def fixes(self) -> dict[str, Callable[[], None]]:
        """A first mask can be drawn; a refusal is met with a gentler strength, while there is one."""
        gentler = {"Use a gentler strength": self._be_gentler} if self._gentler() else {}
        draw = {Fix.DRAW_MASK: lambda: first_mask.choose(self.panel, self._drawers(), self._draw)}
        return super().fixes() | draw | gentler

    def leave(self) -> None:
        """Take preview and uncertainty out of the viewer."""
        self.preview.clear()
        self.tour.clear()

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Stop live mode and let go of all layers, too."""
        return *super().ends(), self.live.end, self.preview.close, self.tour.viewer_events.close

    def _request(self, subject: Subject, instead: Mapping[str, Scalar]) -> RunRequest:
        params = {**self.panel.param_values(), "strength": self.panel.strength.value, "axis": subject.axis, **instead}
        return RunRequest(self._engine, self.model_id, subject.inputs, (SEED,), params)

    def _start(self, request: Callable[[Subject], RunRequest]) -> None:
        if self.running:
            return
        try:
            self._subject = self.desk.subject(self.desk.whole)
            asked = request(self._subject)
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.live.settle()
        self.launch(asked)

    def _drawers(self) -> list[ModelCard]:
        return first_mask.drawers(self.model.capabilities, self.desk.image)

    def _draw(self, coarse: str) -> None:
        """Let a network draw the mask from the image and refine it; the preview shows it as added."""

        def request(subject: Subject) -> RunRequest:
            asked = self._request(subject, {"coarse": coarse})
            return dataclasses.replace(asked, inputs={name: v for name, v in subject.inputs.items() if name != "mask"})

        self._start(request)

    def _gentler(self) -> str:
        words = list(STRENGTHS)
        return words[max(0, words.index(self.panel.strength.value) - 1)] if self.panel.strength.value != words[0] else ""

    def _be_gentler(self) -> None:
        self.panel.strength.set_value(self._gentler())
        self.start_run()

    def _show_review(self, *_: Any) -> None:
        """Show what is left to review."""
        if self.preview.diff is None:
            self.panel.review.show_view(None)
            return
        counts, regions, current = self.preview.counts, self.preview.regions, self.preview.current
        added = amounts.change_text("+", counts.added, self._spacing)
        removed = amounts.change_text(amounts.MINUS, counts.removed, self._spacing)
        place = 0 if current is None else regions.index(current) + 1
        self.panel.review.show_view(ReviewView(added, removed, place, len(regions), self.preview.in_hand))

    def _show_places(self) -> None:
        self.panel.review.show_places(self.tour.text, self.tour.unsure)

    def _go_on(self) -> None:
        if self.desk.mask is not None:
            self.tour.go_on(self.desk.mask)
            self._show_places()

    def _discard(self) -> None:
        self.panel.review.uncertainty.setChecked(False)
        self.preview.clear()
        self.tour.clear()

    def _after_write(self) -> None:
        self.live.settle()
        self.check_soon()

    def _wire_review(self) -> None:
        review, preview = self.panel.review, self.preview
        self.viewer_events.add(self._viewer.layers.selection.events.active, self._show_review)
        review.accept_all_wanted.connect(preview.accept_all)
        review.discard_wanted.connect(self._discard)
        review.accept_wanted.connect(preview.accept_current)
        review.reject_wanted.connect(preview.reject_current)
        review.step_wanted.connect(preview.step)
        review.uncertainty_wanted.connect(self.tour.show)
        review.place_wanted.connect(self._go_on)
