"""What makes a file say of itself that it is synthetic, in the words each format has for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import medsynth_core

DIGITAL_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""IPTC's term for "created by a trained model", https://cv.iptc.org/newscodes/digitalsourcetype/"""
SENTENCE = f"Synthetic image made by MedSynth {medsynth_core.__version__}: not a patient"

_XMP = f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def xmp_packet() -> str:
    """Return the XMP packet that carries the IPTC DigitalSourceType."""
    return _XMP


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return the recipe as ASCII JSON that always says `synthetic: true`."""
    return json.dumps({**recipe, "synthetic": True}, sort_keys=True)
