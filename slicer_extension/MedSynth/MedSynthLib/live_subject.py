"""What a live run is of: the slice that is shown, with the segments on it, the engine's form and the volume under it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.live import Quality
from medsynth_core.live_draft import drafted
from medsynth_core.preflight import blocking
from medsynth_core.protocol import EngineInfo, LabelInfo
from medsynth_core.run import RunRequest
from MedSynthLib import checks, inputs
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.review import Sent
from MedSynthLib.settings import Settings


@dataclass(frozen=True)
class Shown:
    """The settings of the panel, for the shown slice alone."""

    image: Any
    mask: Any
    seed: int
    shown_only: bool = True


@dataclass(frozen=True, eq=False)
class Subject:
    """What is sent, taken at once. `sent` knows the segments again that a result is to be written into, None if it is not."""

    draft: RunRequest
    final: RunRequest
    engine: EngineInfo
    source: Any
    labels: tuple[LabelInfo, ...]
    sent: Sent | None

    def request(self, quality: Quality) -> RunRequest:
        """Return what to ask for: the same seed for both, so that the picture does not shimmer."""
        return self.draft if quality is Quality.DRAFT else self.final


def watches(page: EnginePage | None) -> bool:
    """Return whether an engine's result follows from what is painted, as the page is filled in."""
    info = inputs.segments_input(page.engine) if page is not None else None
    wanted = page is not None and info is not None and (info.required or info.name in page.used)
    return wanted and page is not None and inputs.MAIN_LABELS not in page.chosen


def taken(page: EnginePage, settings: Settings) -> Subject:
    """Return what would be sent now. Raises MedSynthError that says what is missing."""
    shown: Any = _shown(settings)
    engine, card, values = page.engine, page.card, page.values()
    if reason := blocking(checks.look(engine, card, shown, values, page.used, page.chosen)):
        raise InputError(reason)
    given = inputs.gather(engine, card, shown, page.used, page.chosen)
    model = card.id if card is not None else ""
    requests = (
        RunRequest(engine.name, model, given, (settings.seed,), params, streams=True)
        for params in (drafted(engine.params, values), values)
    )
    sent = inputs.to_be_judged(engine, card, shown, given)
    return Subject(*requests, engine, inputs.source(engine, shown), inputs.result_labels(engine, card, shown), sent)


def fingerprint(page: EnginePage, settings: Settings) -> tuple[tuple[str, str, int | None], str]:
    """Return which slice is shown, and a text that changes with all that its result depends on. Raises MedSynthError.

    Only the shown slice is looked at, which takes some milliseconds.
    """
    shown: Any = _shown(settings)
    k = inputs.slice_sent(page.engine, shown)
    digest = hashlib.blake2b(digest_size=16)
    kinds = {info.name: info.kind for info in page.engine.inputs}
    for name, volume in inputs.gather(page.engine, page.card, shown, page.used, page.chosen).items():
        if kinds[name] == "labels":
            digest.update(volume.array.tobytes())
    model = page.card.id if page.card is not None else ""
    what = f"{page.engine.name} {model} {sorted(page.values().items())} {sorted(page.used)} {shown.seed} {digest.hexdigest()}"
    return (shown.image.GetID(), shown.mask.GetID(), k), what


def _shown(settings: Settings) -> Shown:
    if settings.image is None or settings.mask is None:
        raise InputError("choose a volume and segments: live mode paints on its shown slice")
    return Shown(settings.image, settings.mask, settings.seed)
