"""The four starter cards: a click loads what is needed, opens the engine's tab and says what to do next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from medsynth_core.protocol import Scalar
from MedSynthLib import inputs, samples
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.samples import Sample
from MedSynthLib.settings import Settings


@dataclass(frozen=True)
class Starter:
    """One card: its button, the engine and model it opens, their values, the data it loads, and what it says then."""

    button: str
    engine: str
    model: str
    next: str
    sample: Sample | None = None
    values: Mapping[str, Scalar] = field(default_factory=dict)
    boxed: bool = False


STARTERS = (
    Starter(
        "refineCard", "refine", "refiner", "Click Refine: the outline snaps to the polyp. Apply writes it.", samples.POLYP_ROUGH
    ),
    Starter(
        "paintCard",
        "synthesize",
        "brain-slice",
        "Click Synthesize, or change the tumor with the Segment Editor first.",
        samples.BRAIN,
        {"tumor": "meningioma", "plane": "axial"},
    ),
    Starter(
        "tumorCard", "tumor", "lgg-flair", "Drag the box or type numbers, then click Tumor: slices appear one by one.", boxed=True
    ),
    Starter("nucleiCard", "nuclei", "nuclei-he", "Click Nuclei: new histology for these nuclei.", samples.NUCLEI),
)


class StarterCards:
    """Dresses the row `ui.startRow` of cards and the button `ui.startButton` that folds it. `begin` is told which card."""

    def __init__(self, ui: Any, begin: Callable[[Starter], None]) -> None:
        self._ui = ui
        for starter in STARTERS:
            getattr(ui, starter.button).connect("clicked()", lambda starter=starter: self._clicked(starter, begin))
        ui.startButton.connect("toggled(bool)", ui.startRow.setVisible)

    def fold(self) -> None:
        """Make room: there is something to work on."""
        self._ui.startButton.setChecked(False)

    def offer(self, engines: Mapping[str, object]) -> None:
        """Enable the cards of engines that are there; the others say why not."""
        for starter in STARTERS:
            button = getattr(self._ui, starter.button)
            button.setEnabled(starter.engine in engines)
            button.setToolTip(starter.next if starter.engine in engines else f"The engine offers no {starter.engine} here.")

    def _clicked(self, starter: Starter, begin: Callable[[Starter], None]) -> None:
        begin(starter)
        self.fold()


def prepare(starter: Starter, page: EnginePage, settings: Settings) -> str:
    """Load what a card needs and set the values it promises; return what to say about a model that is missing, empty if none is.

    Raises MedSynthError when the data cannot be loaded.
    """
    known = not starter.model or page.choose_model(starter.model)
    if starter.sample is not None:
        _load(starter.sample, page, settings)
    page.set_values(starter.values)
    missing = f"The model {starter.model} is not installed: add it with msynth models add, or choose another one."
    return "" if known else missing


def _load(sample: Sample, page: EnginePage, settings: Settings) -> None:
    settings.image, marks = samples.load(sample)
    samples.show(settings.image, marks)
    if sample.marks == samples.INSTANCES:
        settings.mask = None
        page.choose(inputs.MAIN_LABELS, marks)
    else:
        settings.mask = marks
