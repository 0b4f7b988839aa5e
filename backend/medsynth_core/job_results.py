"""What a job of the list gives a viewer that did not start it: its outputs, the names of its labels, and what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from medsynth_core.client import Client
from medsynth_core.job import STATE
from medsynth_core.job_words import maker
from medsynth_core.protocol import JobInfo, LabelInfo, OutputInfo
from medsynth_core.volume import Volume

SYNTHETIC = "[Synthetic]"
"""The first word of the name of every image of nobody."""
UNCERTAINTY = "uncertainty"
"""An output that is shown on demand, over the image it judges."""


@dataclass(frozen=True, eq=False)
class Fetched:
    """The outputs for looking at in the order they were announced, their arrays by name, and the labels, () for any label."""

    outputs: tuple[OutputInfo, ...]
    volumes: Mapping[str, Volume]
    labels: tuple[LabelInfo, ...]


def fetch(client: Client, job: JobInfo) -> Fetched:
    """Return the outputs of a finished job. Waits for the service. Raises JobError, NotFoundError when it was forgotten."""
    made = client.job(job.id)
    outputs = tuple(output for output in job.outputs if output.kind != STATE)
    cards = (model.card for model in client.capabilities().models if model.id == job.request.model)
    labels = next((card.labels for card in cards if card is not None), ())
    return Fetched(outputs, {output.name: made.result(output.name) for output in outputs}, labels)


def title(job: JobInfo, synthetic: bool) -> str:
    """Return the name of what a job gives."""
    return f"{SYNTHETIC} {maker(job)}" if synthetic else maker(job)
