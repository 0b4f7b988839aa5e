"""What can be said before a growth: is the place in the head, is the tumor like those that were learned from."""

from __future__ import annotations

from collections.abc import Iterator

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix
from medsynth_core.tumor_request import Ellipsoid, Range, Trained, TumorRequest

LEAST, MOST = 0.5, 1.5
"""Times the smallest and the largest that was trained: what lies beyond is refused by the engine."""
SIZES = ("Width", "Depth", "Height")


def check_request(request: TumorRequest, trained: Trained, head: Ellipsoid | None) -> tuple[Chip, ...]:
    """Return the chips about a request. `head` is where the head lies, None if that is not known."""
    return _place(request, head), *_numbers(request, trained)


def _place(request: TumorRequest, head: Ellipsoid | None) -> Chip:
    if request.center_mm is None:
        return Chip(Lamp.GREEN, "Place drawn", "A plausible place is drawn; to choose one, click Place in the view.")
    where = ", ".join(f"{value:.0f}" for value in request.center_mm)
    if head is None:
        return Chip(Lamp.GREEN, "Place", f"The center is ({where}) mm; the model does not say where heads lie.")
    if not head.holds(request.center_mm):
        detail = f"The center ({where}) mm lies outside the head: click nearer to its middle, or let a place be drawn."
        return Chip(Lamp.RED, "Outside the head", detail, Fix.DRAW_PLACE)
    return Chip(Lamp.GREEN, "In the head", f"The center is ({where}) mm, {head.reach(request.center_mm):.0%} of the way out.")


def _numbers(request: TumorRequest, trained: Trained) -> Iterator[Chip]:
    if not request.volume_ml:
        yield Chip(Lamp.GREEN, "Volume drawn", _said("Volumes", "ml", trained.volume_ml))
    else:
        yield _number("Volume", request.volume_ml, "ml", trained.volume_ml)
    extents = zip(SIZES, request.extent_mm, trained.extents_mm or (None,) * 3, strict=True)
    yield from (chip for chip in (_number(name, mm, "mm", known) for name, mm, known in extents if mm) if chip.lamp != Lamp.GREEN)


def _number(name: str, value: float, unit: str, trained: Range | None) -> Chip:
    text = f"{value:.3g} {unit}" if name == "Volume" else f"{name} {value:.3g} {unit}"
    if trained is None or trained.low <= value <= trained.high:
        return Chip(Lamp.GREEN, text, _said(f"{name}s", unit, trained))
    if LEAST * trained.low <= value <= MOST * trained.high:
        detail = f"{_said(f'{name}s', unit, trained)} With {value:.3g} {unit} it may come out otherwise."
        return Chip(Lamp.AMBER, f"{text}: unusual", detail)
    size = "large" if value > trained.high else "small"
    return Chip(Lamp.RED, f"{text}: too {size}", f"{_said(f'{name}s', unit, trained)} {value:.3g} {unit} is too far from that.")


def _said(what: str, unit: str, trained: Range | None) -> str:
    if trained is None:
        return f"The model does not say which {what.lower()} it was trained on."
    return f"{what} of the training patients: {trained.low:.3g} to {trained.high:.3g} {unit}."
