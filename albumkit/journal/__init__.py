"""Edits over several files of an album: all of them or none, and each can be taken back.

:func:`perform` changes files, :func:`history` tells what was changed, :func:`recover` puts an album right
after a process that died while it changed one. Everything is kept in ``ALBUM/.albumkit/``::

    .gitignore      "*": a dataset repository sees nothing of this folder
    lock            held while an album is changed
    pending.json    the journal of a change that is under way; only there while files are touched
    undo/0001-.../  one folder a change
        journal.json    what was done (pending.json, moved here: that move is the commit)
        old/            the files as they were, by their number in the journal
        new/            the new contents, until they take their places

The order makes it safe. First originals are linked or copied into ``old`` and new contents written into
``new``, all of it on the disk; then the journal becomes ``pending.json``; only then is a file touched, each
by one rename. A process that dies leaves either no ``pending.json``, and an album as it was or as it should
be, or a ``pending.json`` that says how to go back. Nothing of a person's is ever deleted.
"""

from albumkit.journal.lock import FOLDER, held, locked
from albumkit.journal.moves import digest, is_there
from albumkit.journal.recovery import recover
from albumkit.journal.rollback import inside
from albumkit.journal.transaction import Change, Record, Seen, history, perform

__all__ = [
    "FOLDER",
    "Change",
    "Record",
    "Seen",
    "digest",
    "held",
    "history",
    "inside",
    "is_there",
    "locked",
    "perform",
    "recover",
]
