"""How this viewer reaches the service."""

from __future__ import annotations

from medsynth_core import client as light_client
from medsynth_core.client import Client


def connect_as_napari() -> Client:
    """Return a client of the user's service, which is started when none runs."""
    return light_client.connect(name="napari")
