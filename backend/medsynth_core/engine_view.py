"""What the engine pill says, worked out from the service's status; the same words in every viewer."""

from __future__ import annotations

from dataclasses import dataclass

from medsynth_core.lamp import Lamp
from medsynth_core.protocol import DeviceInfo, ServiceStatus, WorkerState

START, STOP, FREE, SHOW_LOG, COPY = "Start engine", "Stop engine", "Free memory", "Show log", "Copy diagnostics"
"""What can be done with the engine, in the pill's menu."""
LOG_TITLE, LOG_SIZE = "MedSynth engine log", (760, 420)


@dataclass(frozen=True)
class EngineView:
    """The pill: lamp, one short line, a sentence for the tooltip, and whether a service runs behind it."""

    lamp: Lamp
    text: str
    detail: str
    running: bool


STARTING = EngineView(Lamp.AMBER, "Starting…", "The engine is being started; this takes some seconds.", False)
STOPPED = EngineView(Lamp.OFF, "Stopped", "The engine is stopped. It starts again with the next run.", False)
STOPPING = EngineView(Lamp.AMBER, "Stopping…", "The engine is being stopped.", True)
RESUMES = "The engine's worker ended and is being restarted; running jobs resume by themselves. Your layers are untouched."
RESTARTING = EngineView(Lamp.RED, "Restarting · resumes by itself", RESUMES, True)


def away(reason: str) -> EngineView:
    """Return the pill for a service that should be there and is not."""
    return EngineView(Lamp.RED, "Not running", f"{reason}. It starts again with the next run.", False)


def view_of(status: ServiceStatus) -> EngineView:
    """Return the pill for a service that answered."""
    match status.worker:
        case WorkerState.READY:
            return EngineView(Lamp.GREEN, _line("Ready", status), _detail(status), True)
        case WorkerState.BUSY:
            return EngineView(Lamp.GREEN, _line("Busy", status), _detail(status), True)
        case WorkerState.STARTING:
            return EngineView(Lamp.AMBER, "Starting…", "The engine loads its libraries; this takes some seconds.", True)
        case WorkerState.RESTARTING:
            return RESTARTING
        case WorkerState.DOWN:
            detail = status.message or "The engine's worker does not run: stop the engine and start it again."
            return EngineView(Lamp.RED, "Worker down", detail, True)


def _line(state: str, status: ServiceStatus) -> str:
    parts = [state, *_device(status.device)]
    if status.clients > 1:
        parts.append(f"{status.clients} clients")
    return " · ".join(parts)


def _device(device: DeviceInfo | None) -> list[str]:
    if device is None:
        return []
    if device.kind == "cpu":
        return [device.name if device.name.upper().startswith("CPU") else " · ".join(filter(None, ["CPU", device.name]))]
    return [
        device.name,
        *([f"{_gigabytes(device.memory_free)}/{_gigabytes(device.memory_total)} GB"] if device.memory_total else []),
    ]


def _detail(status: ServiceStatus) -> str:
    loaded = ", ".join(status.loaded_models) or "none"
    lines = [f"{status.clients} clients, {status.running} running, {status.queued} waiting", f"models in memory: {loaded}"]
    if status.device is not None:
        lines.insert(0, " · ".join(_device(status.device)))
    return "\n".join([*lines, *([status.message] if status.message else [])])


def _gigabytes(count: int) -> str:
    return f"{count / 2**30:.1f}".removesuffix(".0")
