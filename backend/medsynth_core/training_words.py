"""A training and a data set in words, and the lines of its chart; the same in every viewer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from medsynth_core.deed import Deed
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import show_seconds
from medsynth_core.protocol import ModelCard
from medsynth_core.protocol_training import Facts, Severity, TrainingInfo, TrainingLine, TrainingState

VALIDATION = "validation"
"""What the chart calls the loss on the tuning side, by which the best state is chosen."""
MEANINGS = {
    VALIDATION: "on cases that are not learned from; the best state is chosen by it",
    "mask": "the image made from its mask, beside the real one",
    "image": "the image, beside the real one",
    "consistency": "the image made from its mask, beside one made with the real image at hand",
    "late": "an image almost made, made from its mask once more",
    "unlabeled": "images without masks",
    "cross entropy": "pixels of the mask, one by one",
    "dice": "overlap with the true mask",
    "distance": "distance to the tumor's boundary",
    "ssim": "structure of a slice that was packed and unpacked",
    "kl": "how plain the packed slices are",
    "flow": "packed slices, beside the real ones",
    "structure": "outlines of the nuclei, beside real ones",
}
"""What the names of the curves mean, of all engines."""
LAMPS = {Severity.STOPS: Lamp.RED, Severity.WARNS: Lamp.AMBER, Severity.TELLS: Lamp.OFF}
STATE_LAMPS = {
    TrainingState.QUEUED: Lamp.OFF,
    TrainingState.RUNNING: Lamp.GREEN,
    TrainingState.PAUSED: Lamp.AMBER,
    TrainingState.DONE: Lamp.GREEN,
    TrainingState.STOPPED: Lamp.GREEN,
    TrainingState.FAILED: Lamp.RED,
}
PAUSE = Deed("Pause", "Let the training rest; nothing is lost")
RESUME = Deed("Resume", "Go on where it rests")
STOP = Deed("Stop and keep the best", "End it now; the state that did best so far becomes your model")
REMOVE = Deed("Remove", "Take it off the list; a model it has made stays")
USE = Deed("Use it now", "Open the panel of its engine with this model")
MOST_KINDS = 3
FIELDS = {
    "--label VALUE=NAME": "Label",
    "--metadata": "Table",
    "--group-by": "Group by",
    "--images": "Images",
    "--masks": "Masks",
    "--modality": "Modality",
    "--tumor-label": "Tumor label",
    "--stack-height-mm": "Stack height",
    "--unlabeled": "Unlabeled",
    "--exclude": "Exclude",
    "--base": "Base",
    "--batch": "Batch",
    "--steps": "Steps",
    "--preset": "Preset",
}
"""What a form calls the options of the command line; sentences about data sets are the same for both."""
Points = tuple[tuple[int, float], ...]


def in_a_form(sentence: str) -> str:
    """Return a sentence with fields of the form in place of options of the command line."""
    for option, title in FIELDS.items():
        sentence = sentence.replace(option, f'"{title}"')
    return sentence


def fact_lines(facts: Facts) -> dict[str, str]:
    """Return a data set in a few lines, by what each is about."""
    lines = {
        "Cases": _counted(facts.cases, "case") + (f" in {_counted(facts.groups, 'group')}" if facts.groups else ""),
        "Split": f"{facts.training} to learn from, {facts.tuning} to choose by, {facts.held_out} held out",
        "Size": _by_count(facts.sizes),
        "Spacing": _by_count(facts.spacings),
        "Intensity": f"{facts.intensity[0]:g} to {facts.intensity[1]:g} (1st to 99th percentile)" if facts.cases else "",
        "Channels": str(facts.channels or ""),
        "Labels": label_shares(facts.labels),
    }
    return {name: line for name, line in lines.items() if line}


def label_shares(labels: Mapping[str, float]) -> str:
    """Return the share of pixels of each label, the ground first: 0: 87 %, 1: 13 %."""
    by_value = sorted(labels, key=lambda value: (not value.isdecimal(), int(value) if value.isdecimal() else 0))
    shown = [f"{value}: {_percent(labels[value])}" for value in by_value[: 2 * MOST_KINDS]]
    return ", ".join(shown) + (f" and {len(by_value) - len(shown)} more" if len(by_value) > len(shown) else "")


def state_line(training: TrainingInfo) -> str:
    """Return how a training stands: running, step 340 of 1000, 12 min left."""
    steps = f"step {grouped(training.step)} of {grouped(training.steps)}" if training.steps else ""
    left = f"{show_time(training.seconds_left)} left" if training.seconds_left is not None else ""
    match training.state:
        case TrainingState.QUEUED:
            return "waits for its turn"
        case TrainingState.RUNNING:
            return ", ".join(filter(None, [steps, left])) or "reads the cases"
        case TrainingState.FAILED:
            return ", ".join(filter(None, ["failed", steps]))
        case TrainingState.STOPPED:
            return ", ".join(filter(None, ["stopped", steps]))
        case _:
            return ", ".join(filter(None, [training.state.value, steps]))


def again_line(training: TrainingInfo) -> str:
    """Return how often the process of a training was started again, empty if never."""
    times = "once" if training.retries == 1 else f"{training.retries} times"
    return f"its process was started again {times}" if training.retries else ""


def grouped(number: int) -> str:
    """Return a number of steps with its thousands apart."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def title_of(training: TrainingInfo) -> str:
    """Return what a training is called: the title of its model."""
    return training.request.title or training.request.model_id


def show_time(seconds: float) -> str:
    """Return a time as a person says it, up to days: 12 s, 3 min, 2 h 5 min."""
    minutes = round(seconds / 60)
    return show_seconds(seconds) if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def card_lines(card: ModelCard, best_step: int, base: str = "") -> tuple[str, ...]:
    """Return what a new model is, line by line; `base` is the model that it went on from."""
    size = f"{card.size[0]} × {card.size[1]} pixels, " if all(card.size) else ""
    labels = ", ".join(label.name for label in card.labels if label.value)
    lines = (
        f"{size}{_counted(card.channels, 'channel')}" + (f", labels: {labels}" if labels else ""),
        f"learned from {card.trained_on}" if card.trained_on else card.data,
        f"went on from {base}, under its terms too" if base else "",
        f"best at step {best_step}" if best_step else f"{card.steps} steps",
        f"license of the data: {card.license}",
        "" if card.commercial_use else "not for commercial use",
    )
    return tuple(line for line in lines if line)


def without_model(state: TrainingState) -> str:
    """Return why a training that has ended well has no model in the list, empty for one that has not ended so."""
    match state:
        case TrainingState.DONE:
            return "Its model is not in the list any more: it was removed."
        case TrainingState.STOPPED:
            return "It has no model in the list: it was stopped before there was one, or the model was removed."
        case _:
            return ""


def curves(lines: Iterable[TrainingLine]) -> dict[str, Points]:
    """Return the terms of the loss as points (step, value), the tuning side first; a logarithmic axis can show them all."""
    found: dict[str, list[tuple[int, float]]] = {VALIDATION: []}
    for line in lines:
        values = {VALIDATION: line.validation, **line.losses}
        for name, value in values.items():
            if value is not None and math.isfinite(value) and value > 0:
                found.setdefault(name.replace("_", " "), []).append((line.step, value))
    return {name: tuple(points) for name, points in found.items() if points}


def _by_count(kinds: Mapping[str, int]) -> str:
    """Return kinds with their counts, the most common first; a single one needs no count."""
    if len(kinds) == 1:
        return next(iter(kinds))
    order = sorted(kinds, key=lambda kind: -kinds[kind])
    more = len(order) - MOST_KINDS
    return ", ".join(f"{kind} ({kinds[kind]})" for kind in order[:MOST_KINDS]) + (f" and {more} more" if more > 0 else "")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
