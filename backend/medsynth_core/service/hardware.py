"""What the worker computes on. torch is loaded only where it must be asked, so that an engine without networks starts at once."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from typing import Any

import psutil

from medsynth_core.protocol import DeviceInfo


def glance() -> DeviceInfo | None:
    """Return the device without loading anything; None where a GPU may be present and torch must be asked."""
    apple = sys.platform == "darwin" and platform.machine() == "arm64"
    if apple or os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/kfd") or _has_windows_driver():
        return None
    return _cpu()


def look() -> DeviceInfo:
    """Return the device as torch sees it; loads torch, where it is installed."""
    torch = load_torch()
    if torch is not None and torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return DeviceInfo(torch.cuda.get_device_name(), "cuda", total, free)
    if torch is not None and torch.backends.mps.is_available():
        memory = psutil.virtual_memory()
        return DeviceInfo("Apple GPU", "mps", memory.total, memory.available)
    return _cpu()


def load_torch() -> Any:
    """Return torch, set to leave one core to the viewer; None where it is not installed."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    threads = max(1, (os.cpu_count() or 2) - 1)
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    return torch


def is_out_of_memory(problem: Exception) -> bool:
    """Return whether the device or the machine had too little memory."""
    return isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError"


def is_device_lost(problem: Exception) -> bool:
    """Return whether a CUDA error has made this process useless."""
    return isinstance(problem, RuntimeError) and (type(problem).__name__ == "AcceleratorError" or "CUDA error" in str(problem))


def _cpu() -> DeviceInfo:
    memory = psutil.virtual_memory()
    return DeviceInfo(f"CPU, {os.cpu_count()} cores", "cpu", memory.total, memory.available)


def _has_windows_driver() -> bool:
    return sys.platform == "win32" and os.path.exists(os.path.join(os.environ.get("SYSTEMROOT", ""), "System32", "nvcuda.dll"))
