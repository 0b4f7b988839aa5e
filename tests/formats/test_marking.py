"""A file says of itself where it comes from, and never more than is true."""

from __future__ import annotations

from medsynth_core.formats.marking import digital_source_type, is_synthetic, sentence, xmp_packet

NEW = {"engine": "tumor", "synthetic": True, "inputs": {}}
GROWN_INTO = {"engine": "tumor", "synthetic": True, "inputs": {"background": "0f" * 32}}
REFINED = {"engine": "refine", "synthetic": False, "inputs": {"image": "0f" * 32}}


def test_a_lesion_in_a_real_volume_is_not_called_nobodys() -> None:
    assert "not a patient" in sentence(NEW)
    assert "not a patient" not in sentence(GROWN_INTO)
    assert "the rest is the image given" in sentence(GROWN_INTO)
    assert is_synthetic(GROWN_INTO)


def test_iptc_tells_made_composed_and_enhanced_apart() -> None:
    terms = [digital_source_type(recipe).rsplit("/", 1)[1] for recipe in (NEW, GROWN_INTO, REFINED)]
    assert terms == ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced"]
    assert "compositeWithTrainedAlgorithmicMedia" in xmp_packet(GROWN_INTO)


def test_every_sentence_fits_the_shortest_field() -> None:
    for recipe in (NEW, GROWN_INTO, REFINED, {}):
        assert len(sentence(recipe).encode("ascii")) <= 64


def test_an_image_made_anew_in_a_region_only_is_a_composite_and_one_whose_stain_was_taken_is_not() -> None:
    edited = {"synthetic": True, "inputs": {"mask": "a", "image": "b", "region": "c"}}
    stained = {"synthetic": True, "inputs": {"mask": "a", "image": "b"}}
    assert "partly synthetic" in sentence(edited)
    assert "partly" not in sentence(stained)
    assert len(sentence(edited)) <= 64
