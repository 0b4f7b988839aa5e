"""The module's self test: the same cases inside a real Slicer and outside of it, each written once, with nothing but Slicer.

In a Slicer they run by *Reload and Test* (developer mode), and by ctest where the extension was built with BUILD_TESTING:
`slicer_add_python_unittest` loads them by the module's name. Outside they run with our other tests, on slicer-core, Slicer's own
scene and nodes, with a stand-in for its widgets.

They were run outside, also with Slicer's own parameter node and base classes (its sources of August 2026) in place of the
stand-in's. They were not yet run inside a Slicer application.
"""

from __future__ import annotations

import logging
import unittest

import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from MedSynthLib.selftest_panel import PanelCases
from MedSynthLib.selftest_places import PlaceCases


class MedSynthTest(PlaceCases, PanelCases, ScriptedLoadableModuleTest):
    """One method a thing that a Slicer of another version could do differently."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run all of them; one that is skipped is no failure, and says why in the log."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            self.delayDisplay(name.replace("_", " "))
            try:
                getattr(self, name)()
            except unittest.SkipTest as reason:
                logging.getLogger(__name__).warning("%s was skipped: %s", name, reason)
