"""What a masker is: something that is shown a picture and tells where its subject is.

A masker knows nothing of albums, sizes of files or options: it answers at its own resolution, and the answer
is kept as it is. How it becomes a mask of the picture's size is decided by :mod:`albumkit.mask.shaping`.
"""

from __future__ import annotations

from typing import Protocol

from PIL import Image


class Masker(Protocol):
    """One model, ready to be asked. The same picture gets the same answer."""

    @property
    def name(self) -> str:
        """What it is called in reports: the model."""
        ...

    @property
    def identity(self) -> str:
        """The model and its weights: a part of the key that answers are kept by."""
        ...

    @property
    def side(self) -> int:
        """How many pixels of each side it looks at: a picture need not be larger."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how it runs, as "on the processor, though ..."; mostly nothing."""
        ...

    def find(self, picture: Image.Image) -> Image.Image:
        """Where the subject is: grey (mode L), 255 the subject, of ``side`` x ``side`` pixels or any other
        size, laid over the whole picture. May be called from several threads.

        Args:
            picture: Upright, RGB.

        Raises:
            AlbumkitError: this picture cannot be masked.
        """
        ...
