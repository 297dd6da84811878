"""Which files belong together: the only reader of folder and zip conventions.

``read_album(path)`` takes a folder or a zip and returns an :class:`Album`: its examples with their
captions, masks and, for edit albums, start and reference images. Nothing is decoded and nothing is
written; captions are read when asked for.
"""

from albumkit.album.captions import Caption, CaptionSource, normalise_caption
from albumkit.album.find import expand, find_albums
from albumkit.album.model import Album, Example, MediaFile
from albumkit.album.read import read_album
from albumkit.album.source import Entry, FolderSource, LfsPointer, Source, ZipSource

__all__ = [
    "Album",
    "Caption",
    "CaptionSource",
    "Entry",
    "Example",
    "FolderSource",
    "LfsPointer",
    "MediaFile",
    "Source",
    "ZipSource",
    "expand",
    "find_albums",
    "normalise_caption",
    "read_album",
]
