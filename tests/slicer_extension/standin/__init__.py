"""What slicer-core lacks of 3D Slicer, for tests alone: `install()` puts it where Slicer has it.

slicer-core is Slicer's real scene, nodes, logics and `slicer.util`. Here are the flat `qt` module with PythonQt's manners (over
PyQt5), the MRML widgets, `slicer.app`, `ScriptedLoadableModule` and the part of `parameterNodeWrapper` that we use. It is strict:
a property that does not take a value, and a signal that does not exist, are errors here as they are there.
"""

from tests.slicer_extension.standin.application import install

__all__ = ["install"]
