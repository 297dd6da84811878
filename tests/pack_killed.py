"""Pack an album and die at a chosen moment: ``python pack_killed.py ALBUM OUT MOMENT``.

Moments are numbered: before and after every write into the archive, every fsync and every rename. Prints the
number of moments when none was reached.
"""

from __future__ import annotations

import os
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pack_pictures import pack

MOMENT = int(sys.argv[3])
passed = 0


def tick() -> None:
    global passed
    passed += 1
    if passed == MOMENT:
        os._exit(9)


def deadly(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **named: Any) -> Any:
        tick()
        result = function(*args, **named)
        tick()
        return result

    return wrapped


os.fsync = deadly(os.fsync)
os.replace = deadly(os.replace)
zipfile.ZipFile.open = deadly(zipfile.ZipFile.open)  # type: ignore[method-assign]
pack(Path(sys.argv[1]), Path(sys.argv[2]), jobs=2)
print(passed)
