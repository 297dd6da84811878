"""Write a HEIC file: one HEVC picture in a HEIF container (ISO/IEC 23008-12), as phones do.

No library at hand writes them. PyAV encodes the picture into an MP4; its parameters (``hvcC``) and its one
sample are taken out of that and put into the boxes of a HEIF file, with the colour profile.
"""

from __future__ import annotations

import io
import struct

import av
from PIL import Image


def heic_bytes(picture: Image.Image, profile: bytes) -> bytes:
    """The picture (sides even) as a HEIC file with an ICC profile."""
    config, sample = _encoded(picture)
    spatial = _box(b"ispe", struct.pack(">III", 0, *picture.size))
    colour = _box(b"colr", b"prof" + profile)
    properties = _box(b"ipco", _box(b"hvcC", config) + spatial + colour)
    used = _box(b"ipma", struct.pack(">IIHBBBB", 0, 1, 1, 3, 0x81, 2, 3))
    entry = _box(b"infe", struct.pack(">IHH4sB", 2 << 24, 1, 0, b"hvc1", 0))
    head = _box(b"hdlr", struct.pack(">II4s12xB", 0, 0, b"pict", 0))
    info = _box(b"iinf", struct.pack(">IH", 0, 1) + entry)
    kind = _box(b"ftyp", b"heic" + struct.pack(">I", 0) + b"mif1heic")

    def meta(at: int) -> bytes:
        where = _box(b"iloc", struct.pack(">IBBHHHHII", 0, 0x44, 0, 1, 1, 0, 1, at, len(sample)))
        first = _box(b"pitm", struct.pack(">IH", 0, 1))
        return _box(
            b"meta", struct.pack(">I", 0) + head + first + where + info + _box(b"iprp", properties + used)
        )

    begin = len(kind) + len(meta(0)) + 8
    return kind + meta(begin) + _box(b"mdat", sample)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def _encoded(picture: Image.Image) -> tuple[bytes, bytes]:
    """(hvcC, sample) of one key frame."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as container:
        options = {"crf": "20", "preset": "fast", "x265-params": "keyint=1:log-level=none"}
        video = container.add_stream("libx265", rate=1, options=options)
        video.width, video.height, video.pix_fmt = picture.width, picture.height, "yuv420p"
        container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode())
    data = stream.getvalue()
    at = data.index(b"hvcC")
    (length,) = struct.unpack_from(">I", data, at - 4)
    config = data[at + 4 : at - 4 + length]
    with av.open(io.BytesIO(data)) as container:
        packet = next(p for p in container.demux(video=0) if p.size)
        return config, bytes(packet)
