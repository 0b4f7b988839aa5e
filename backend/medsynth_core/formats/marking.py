"""What makes a file say of itself where it comes from, in the words each format has for it.

A recipe with `synthetic: False` made something from a real image (a refined mask): that is an algorithm's output, and is marked
as such. Every other recipe made a synthetic image, also one that does not say so; one with a background, or with a region of an
image, put something synthetic into what may be a real patient's image, which is no image of nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import medsynth_core

_TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DIGITAL_SOURCE_TYPE = _TERMS + "trainedAlgorithmicMedia"
"""IPTC's term for "created by a trained model", https://cv.iptc.org/newscodes/digitalsourcetype/"""
COMPOSITE_SOURCE_TYPE = _TERMS + "compositeWithTrainedAlgorithmicMedia"
"""IPTC's term for a real picture into which a trained model put something."""
ENHANCED_SOURCE_TYPE = _TERMS + "algorithmicallyEnhanced"
"""IPTC's term for what an algorithm improved that was there before."""
SENTENCE = f"Synthetic image made by MedSynth {medsynth_core.__version__}: not a patient"
COMPOSITE_SENTENCE = f"MedSynth {medsynth_core.__version__}: partly synthetic, the rest is the image given"
DERIVED_SENTENCE = f"Refined by an algorithm (MedSynth {medsynth_core.__version__}): check before use"

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
 Iptc4xmpExt:DigitalSourceType="{term}"/>
</rdf:RDF></x:xmpmeta><?xpacket end="w"?>"""


def is_synthetic(recipe: Mapping[str, Any]) -> bool:
    """Return whether the recipe made a synthetic image; only an explicit `synthetic: False` says otherwise."""
    return recipe.get("synthetic", True) is not False


def is_composite(recipe: Mapping[str, Any]) -> bool:
    """Return whether the recipe kept an image that was given and made a part of it synthetic.

    That is a background, or an image whose region was made anew. It may be a patient's.
    """
    given = set(recipe.get("inputs", {}))
    return is_synthetic(recipe) and ("background" in given or {"image", "region"} <= given)


def sentence(recipe: Mapping[str, Any]) -> str:
    """Return the one sentence a reader of the file should see, at most 64 ASCII characters."""
    if is_composite(recipe):
        return COMPOSITE_SENTENCE
    return SENTENCE if is_synthetic(recipe) else DERIVED_SENTENCE


def digital_source_type(recipe: Mapping[str, Any]) -> str:
    """Return the IPTC term for how the file came to be."""
    if is_composite(recipe):
        return COMPOSITE_SOURCE_TYPE
    return DIGITAL_SOURCE_TYPE if is_synthetic(recipe) else ENHANCED_SOURCE_TYPE


def xmp_packet(recipe: Mapping[str, Any]) -> str:
    """Return the XMP packet that carries the IPTC DigitalSourceType."""
    return _XMP.format(term=digital_source_type(recipe))


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """Return the recipe as ASCII JSON that always says whether it is `synthetic`."""
    return json.dumps({**recipe, "synthetic": is_synthetic(recipe)}, sort_keys=True)
