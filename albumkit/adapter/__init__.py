"""LoRA files: what is in them, how their keys are spelt, and what each program makes of that.

``open(path)`` gives an :class:`Adapter`. Reading, checking and converting need no torch, no diffusers and no
numpy: the header is read by :mod:`albumkit.adapter.header`, numbers stay the raw words that they are.

>>> adapter = albumkit.adapter.open("cat.safetensors")       # doctest: +SKIP
>>> adapter.scheme.id, adapter.size.title, adapter.rank      # doctest: +SKIP
('comfy', 'FLUX.2 klein 4B', 16)
"""

from albumkit.adapter.conversion import FORMS, Conversion, Form, convert
from albumkit.adapter.delta import Delta
from albumkit.adapter.header import Header, Tensor, read_header
from albumkit.adapter.model import Adapter, Module, PeftConfig
from albumkit.adapter.naming import Architecture, Linear, Place, Size, architecture, find_size
from albumkit.adapter.read import open_adapter
from albumkit.adapter.read import open_adapter as open  # noqa: A004 - albumkit.adapter.open reads well
from albumkit.adapter.recognise import fits_size
from albumkit.adapter.schemes import SCHEMES, Scheme

__all__ = [
    "FORMS",
    "SCHEMES",
    "Adapter",
    "Architecture",
    "Conversion",
    "Delta",
    "Form",
    "Header",
    "Linear",
    "Module",
    "PeftConfig",
    "Place",
    "Scheme",
    "Size",
    "Tensor",
    "architecture",
    "convert",
    "find_size",
    "fits_size",
    "open",
    "open_adapter",
    "read_header",
]
