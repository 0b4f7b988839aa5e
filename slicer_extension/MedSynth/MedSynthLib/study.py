"""A result stands beside what it was made from: in the same study of the subject hierarchy."""

from __future__ import annotations

from typing import Any

import slicer


def put_beside(node: Any, source: Any) -> None:
    """Move a node into the folder (study, patient) of another one."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    if hierarchy is None or source is None:
        return
    there, item = hierarchy.GetItemByDataNode(source), hierarchy.GetItemByDataNode(node)
    parent = hierarchy.GetItemParent(there) if there else hierarchy.GetSceneItemID()
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)
