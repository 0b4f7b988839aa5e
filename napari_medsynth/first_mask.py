"""The networks that draw a first mask from the image alone: which of them suit an image, and a menu where there are several."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Image
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QMenu, QWidget

from medsynth_core.protocol import Capabilities, ModelCard


def drawers(capabilities: Capabilities | None, image: Image | None) -> list[ModelCard]:
    """Return the cards of the coarse networks that see images like this one, grey or color."""
    if capabilities is None or image is None:
        return []
    channels = 3 if image.rgb else 1
    cards = [m.card for m in capabilities.models if m.engine == "refine" and m.card is not None]
    return [card for card in cards if card.role == "coarse" and card.channels == channels]


def choose(parent: QWidget, cards: list[ModelCard], draw: Callable[[str], None]) -> None:
    """Draw with the only network, or ask which."""
    if len(cards) == 1:
        draw(cards[0].id)
        return
    menu = QMenu(parent)
    for card in cards:
        menu.addAction(card.title, lambda model=card.id: draw(model))
    menu.popup(QCursor.pos())
