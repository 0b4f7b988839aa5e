"""Makes the pictures of slice views in docs/images, and fails where a view shows something elsewhere than it should:

    make pictures-slicer

The nodes are made by the extension's own code with the service and models that ship, and drawn by Slicer's own slice views
(trame-slicer). Every view is compared with what SimpleITK works out from the files that Slicer writes of the same nodes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer_expected as expected
import slicer_scenes as scenes
from MedSynthLib.scripting import Engine
from new_user import new_user
from slicer_drawing import EDGES, Look, SliceViews, side_by_side

from medsynth_core.client import connect

IMAGES = Path(__file__).parent / "images"
LEAST_LIKENESS, LEAST_OVERLAP, MOST_PIXELS_OFF = 0.998, 0.995, 0.5
MOST_LEVELS_OFF, MOST_MM_OFF = 2, 6.0
CHANGED = 6
"""Levels of the screen by which an overlay changes a pixel at least."""


def main() -> None:
    """Draw the scenes, with a service in the Python that the command line names.

    The marker comes first also because a segmentation that is there before any volume was shown would be drawn over black.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", help="the interpreter that has napari-medsynth[service]")
    python = str(Path(parser.parse_args().python).absolute())  # not resolved: a link is what makes an environment
    views = SliceViews()
    check_marker(views)
    with new_user():
        engine = Engine(connect(python=python, name="slicer"))
        try:
            take(views, scenes.synthetic(engine), "slicer-synthetic")
            grown = scenes.grown(engine)
            take(views, grown, "slicer-tumor")
            refined = scenes.refined(engine, grown)
            take(views, refined, "slicer-refined")
            into = scenes.grown_into(engine, refined)
            take(views, into, "slicer-grown-into")
            for name, scene in (("tumor", grown), ("tumor grown into the turned head", into)):
                judge(f"place of the {name}", (far := scenes.far_from_asked(scene)) <= MOST_MM_OFF, f"{far:.1f} mm off")
        finally:
            engine.close()


def check_marker(views: SliceViews) -> None:
    """See that a bright voxel, right, front and up in an oblique, anisotropic, left-handed volume, is drawn where it belongs."""
    node = scenes.marker()
    look = Look(scenes.MARKER, (0.0, 0.0, 0.0), 200)
    views.show(dict.fromkeys(EDGES, node), look)
    for view in EDGES:
        pixels = views.picture(view)[..., 0].astype(float)
        found = np.array([(pixels * index).sum() / pixels.sum() for index in np.indices(pixels.shape)])
        off = np.abs(found - expected.pixel_of(scenes.MARKER, view, look)).max()
        right_place = found[1] < pixels.shape[1] / 2 and found[0] < pixels.shape[0] / 2  # patient right or front: left; up: up
        judge(f"marker, {view}", off <= MOST_PIXELS_OFF and bool(right_place), f"{off:.2f} pixels off")
    slicer.mrmlScene.RemoveNode(node)


def take(views: SliceViews, scene: scenes.Scene, name: str) -> None:
    """Draw a scene, compare each view with what it should show, and write the picture."""
    views.show(scene.volumes, scene.look)
    hide_all()
    bare = {view: views.picture(view) for view in scene.volumes}
    for view, pixels in bare.items():
        check_image(f"{name}, {view}", pixels[..., 0], expected.image_drawn(scene.volumes[view], view, scene.look))
    for segmentation in scene.segmentations:
        segmentation.SetDisplayVisibility(True)
        for view, pixels in bare.items():
            should = expected.mask_drawn(segmentation, view, scene.look)
            check_mask(f"{name}, {view}, {segmentation.GetName()}", views.picture(view), pixels, segmentation, should)
        segmentation.SetDisplayVisibility(False)
    show_all(scene.segmentations)
    side_by_side({view: views.picture(view) for view in scene.volumes}, IMAGES / f"{name}.png")
    hide_all()


def show_all(segmentations: tuple[Any, ...]) -> None:
    """Show segmentations as outlines, the last one lightly filled: what lies below is to be seen."""
    for segmentation in segmentations:
        segmentation.SetDisplayVisibility(True)
        display = segmentation.GetDisplayNode()
        display.SetSliceIntersectionThickness(2)
        display.SetOpacity2DFill(0.25 if segmentation is segmentations[-1] else 0.0)


def hide_all() -> None:
    """Show no segmentation."""
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        node.SetDisplayVisibility(False)


def check_image(what: str, drawn: np.ndarray, should: np.ndarray) -> None:
    """See that a view looks like it should, and less so mirrored either way: else the comparison would say nothing."""
    alike = expected.likeness(drawn, should)
    mirrored = max(expected.likeness(drawn, should[::-1]), expected.likeness(drawn, should[:, ::-1]))
    judge(what, alike >= LEAST_LIKENESS and mirrored < alike - 0.01, f"likeness {alike:.4f}, mirrored at most {mirrored:.4f}")


def check_mask(what: str, drawn: np.ndarray, bare: np.ndarray, segmentation: Any, should: np.ndarray) -> None:
    """See that an overlay lies where it should, in the segment's color, and that the image is seen through it."""
    shared = expected.overlap(np.abs(drawn.astype(int) - bare).max(-1) > CHANGED, should)
    off = np.abs(drawn - expected.blended(bare, segmentation))[expected.inside(should)].max(initial=0)
    fine = shared >= LEAST_OVERLAP and off <= MOST_LEVELS_OFF
    judge(what, fine, f"overlap {shared:.4f} of {int(should.sum())} pixels, colors at most {off:.1f} levels off")


def judge(what: str, fine: bool, figures: str) -> None:
    """Tell the figures, and end where they are not fine."""
    sys.stdout.write(f"{'ok   ' if fine else 'WRONG'} {what}: {figures}\n")
    sys.stdout.flush()
    if not fine:
        raise SystemExit(f"{what} is drawn elsewhere than it should: {figures}")


if __name__ == "__main__":
    main()
