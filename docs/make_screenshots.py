"""Makes the pictures of the panel in docs/images: the real viewer, service and model, in both themes.

    sh scripts/with_display.sh .venv/bin/python docs/make_screenshots.py

State goes to a temporary folder, so the pictures show what a new user sees.
"""

from __future__ import annotations

from pathlib import Path

from new_user import new_user

IMAGES = Path(__file__).parent / "images"
THEMES = ("dark", "light")


def main() -> None:
    """Play the demo once and take the panel in each theme."""
    with new_user():
        take_pictures()


def take_pictures() -> None:
    """Write panel-dark.png and panel-light.png."""
    import napari

    from napari_medsynth import demo, strokes

    viewer = napari.Viewer(show=False)
    try:
        widget = demo.play(viewer, demo.MODEL, images=4)
        for theme in THEMES:
            viewer.theme = theme
            strokes.settle(800)
            demo.save_picture(widget, IMAGES / f"panel-{theme}.png")
    finally:
        viewer.close()


if __name__ == "__main__":
    main()
