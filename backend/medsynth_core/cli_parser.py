"""The argument parser of `msynth`: its complaints are sentences like all our errors."""

from __future__ import annotations

import argparse
from typing import NoReturn

from medsynth_core.errors import InputError


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaint is one sentence like every other error of ours."""

    def error(self, message: str) -> NoReturn:
        """Raise InputError instead of printing the usage."""
        raise InputError(f"{message}; see {self.prog} --help")
