"""PNG, JPEG and BMP by Pillow, one slice each; TIFF, which has pages and 16 bits, has its own file."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from medsynth_core.errors import FormatError
from medsynth_core.formats.limits import check_pixels, decoding
from medsynth_core.formats.marking import recipe_text, sentence, xmp_packet
from medsynth_core.volume import Volume

PIXEL_MODES = {"1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "RGB", "RGBA"}
MAX_JPEG_COMMENT = 60_000


def read_image(path: Path, kind: str) -> Volume:
    """Return the pixels as (channel, 1, y, x): 1 or 3 channels. Raises FormatError.

    A palette gives its colors. Transparency is refused, unless every pixel is opaque.
    """
    with decoding(path.name, kind), _opened(path, kind) as image:
        plain = image.convert("RGB") if image.mode == "P" else image
        return Volume.from_image(_opaque(path.name, _pixels(path.name, plain)))


def read_labels(path: Path, kind: str) -> Volume:
    """Return a mask as (1, 1, y, x). A palette gives its indices: they are the labels. Raises FormatError for true colors."""
    with decoding(path.name, kind), _opened(path, kind) as image:
        pixels = np.asarray(image) if image.mode == "P" else _pixels(path.name, image)
        return Volume.from_image(grey(path.name, _opaque(path.name, pixels)))


def grey(name: str, pixels: np.ndarray) -> np.ndarray:
    """Return pixels (y, x) of (y, x) or (y, x, 3) with three equal channels. Raises FormatError for true colors."""
    if pixels.ndim == 2:
        return pixels
    if not (pixels[..., :1] == pixels).all():
        raise FormatError(
            f"{name} is a color picture: a mask holds one label number per pixel; save it in grey or with a palette"
        )
    return pixels[..., 0]


def encode(kind: str, volume: Volume, recipe: Mapping[str, Any]) -> bytes:
    """Return a PNG, JPEG or BMP file, marked as what it is where the format can say so. Raises FormatError, ShapeError."""
    pixels = _writable(kind, volume)
    if kind == "JPEG" and len(recipe_text(recipe)) > MAX_JPEG_COMMENT:
        raise FormatError("the recipe is too long for a JPEG comment: save as .png")
    options: dict[str, dict[str, Any]] = {
        "PNG": {"pnginfo": _png_text(recipe)} if kind == "PNG" else {},
        "JPEG": {"quality": 95, "subsampling": 0, "comment": recipe_text(recipe).encode(), "xmp": xmp_packet(recipe).encode()},
        "BMP": {},
    }
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format=kind, **options[kind])
    return file.getvalue()


def encode_labels(kind: str, volume: Volume, recipe: Mapping[str, Any], like: Path | None) -> bytes:
    """Return a mask (1, 1, y, x) as PNG or BMP, with the pixel mode and palette of `like`. Raises FormatError, ShapeError."""
    labels = _unsigned(kind, volume.to_image())
    image = Image.fromarray(labels)
    if like is not None and labels.dtype == np.uint8:
        with decoding(like.name, kind), _opened(like, kind) as model:
            image = _in_mode(image, model)
    file = io.BytesIO()
    image.save(file, format=kind, **({"pnginfo": _png_text(recipe)} if kind == "PNG" else {}))
    return file.getvalue()


def _unsigned(kind: str, labels: np.ndarray) -> np.ndarray:
    """Return the labels in 8 bits, or in 16 where the mask has 16 or its values ask for them."""
    least, most = int(labels.min()), int(labels.max())
    wide = kind == "PNG" and (labels.dtype == np.uint16 or most > 255)
    dtype = np.uint16 if wide else np.uint8
    if labels.dtype.kind not in "biu" or least < 0 or most > np.iinfo(dtype).max:
        bits = 16 if kind == "PNG" else 8
        raise FormatError(f"{kind} holds labels of {bits} bits, the mask is {labels.dtype} from {least} to {most}: save as .tif")
    return labels.astype(dtype)


def _in_mode(image: Image.Image, model: Image.Image) -> Image.Image:
    if model.mode == "1" and np.asarray(image).max() <= 1:
        return Image.fromarray(np.asarray(image) != 0)
    palette = model.getpalette() if model.mode == "P" else None
    if palette is None:
        return image.convert(model.mode) if model.mode in ("LA", "RGB", "RGBA") else image
    image.putpalette(palette)
    if "transparency" in model.info:
        image.info["transparency"] = model.info["transparency"]
    return image


def _opened(path: Path, kind: str) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit, just below, is stricter
        try:
            image = Image.open(path, formats=[kind])
        except Image.DecompressionBombError:
            raise FormatError(f"{path.name} declares more pixels than can be read") from None
    try:
        check_pixels(path.name, image.height, image.width)
        if getattr(image, "n_frames", 1) > 1 and kind == "PNG":
            raise FormatError(f"{path.name} is animated: save the frame you want")
    except FormatError:
        image.close()
        raise
    return image


def _pixels(name: str, image: Image.Image) -> np.ndarray:
    if image.mode not in PIXEL_MODES:
        raise FormatError(f"{name} has {image.mode} pixels: save it as grey or RGB")
    if _is_deep_color(image):
        raise FormatError(f"{name} has 16-bit colors: save it with 8 bits, or as TIFF")
    pixels = np.asarray(image)
    return pixels.astype(np.uint8) if pixels.dtype == np.bool_ else pixels.astype(pixels.dtype.newbyteorder("="))


def _is_deep_color(image: Image.Image) -> bool:
    """Pillow would cut 16-bit colors to 8 bits without a word: PNG names its depth in the decoder's raw mode."""
    tiles = getattr(image, "tile", [])
    return bool(tiles) and image.mode in ("RGB", "RGBA", "LA") and ";16" in str(tiles[0][3])


def _opaque(name: str, pixels: np.ndarray) -> np.ndarray:
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        if not (pixels[..., -1] == 255).all():
            raise FormatError(f"{name} has transparent pixels: flatten it first")
        pixels = pixels[..., :-1]
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels


def _writable(kind: str, volume: Volume) -> np.ndarray:
    pixels = volume.to_image()
    if pixels.dtype == np.uint8 and (pixels.ndim == 2 or pixels.shape[2] == 3):
        return pixels
    if kind == "PNG" and pixels.dtype == np.uint16 and pixels.ndim == 2:
        return pixels
    holds = "8- or 16-bit grey or 8-bit RGB" if kind == "PNG" else "8-bit grey or RGB"
    raise FormatError(f"{kind} holds {holds}, the image is {pixels.dtype} {pixels.shape}: save as .tif or .nii.gz")


def _png_text(recipe: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    text.add_text("Description", sentence(recipe))
    text.add_text("medsynth", recipe_text(recipe))
    text.add_itxt("XML:com.adobe.xmp", xmp_packet(recipe))
    return text
