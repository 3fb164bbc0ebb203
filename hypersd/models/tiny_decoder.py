"""Tiny decoders (TAESD and TAESDXL, Bohan 2023): pictures in a small part of the time, a little softer."""

from __future__ import annotations

from dataclasses import replace

from hypersd.models.family_parts import TinyDecoder
from hypersd.models.specs import Family


def with_tiny_decoder(family: Family) -> Family:
    """The family with its tiny decoder in the place of the VAE; text encoders and UNets stay as they are.

    Raises:
        ValueError: it has none.
    """
    decoder = tiny_decoder_of(family)
    return replace(family, vae=decoder.repository, decode_tflop=decoder.decode_tflop)


def tiny_decoder_of(family: Family) -> TinyDecoder:
    """The family's tiny decoder.

    Raises:
        ValueError: it has none.
    """
    if family.tiny_decoder is None:
        raise ValueError(f"{family.name} has no tiny decoder; choose the full one, or another family")
    return family.tiny_decoder
