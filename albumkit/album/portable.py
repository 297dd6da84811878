"""Which names other systems cannot hold."""

from __future__ import annotations

import re
import unicodedata

from albumkit.album.names import DEVICE, DEVICES

#: Bytes of one name on ext4, XFS, Btrfs; NTFS and APFS take 255 UTF-16 units, which is never fewer.
_LONGEST_NAME = 255
#: Windows without long paths takes 260 with drive and folders above
#: (https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation): 40 are left for those.
_LONGEST_PATH = 220
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f\x7f]')
#: All that can be wrong with a short ASCII path; nearly every path has none of it.
_ODD = re.compile(rf"{_FORBIDDEN.pattern}|[. ](?:/|\Z)|(?:\A|/){DEVICES}(?:[./]|\Z)", re.IGNORECASE)


def obstacle(path: str) -> str:
    """Why a file of this path cannot be kept under its name on every system, as the end of a sentence; ""
    when it can. Blanks inside of a name, accents and other scripts are no obstacle.
    """
    if len(path) <= _LONGEST_PATH and path.isascii() and not _ODD.search(path):
        return ""
    for name in path.split("/"):
        if words := _obstacle_in(name):
            return words
    if len(path) > _LONGEST_PATH:
        return f"is {len(path)} characters long with its folders; Windows takes 260 with all folders above"
    return ""


def _obstacle_in(name: str) -> str:
    if any("\ud800" <= c <= "\udfff" for c in name):
        return "holds bytes that are no UTF-8, which most programs cannot even print"
    if match := _FORBIDDEN.search(name):
        shown = f'"{match[0]}"' if match[0].isprintable() else f"the control character {ord(match[0])}"
        return f"holds {shown}, which Windows does not allow"
    if name.endswith((".", " ")):
        return f"has a part that ends in a {'dot' if name.endswith('.') else 'blank'}, which Windows drops"
    if device := DEVICE.match(name):
        return f"begins with {device[0].rstrip('.')}, which Windows keeps for a device"
    if (length := len(name.encode("utf-8", "surrogateescape"))) > _LONGEST_NAME:
        return f"has a part of {length} bytes; most systems take {_LONGEST_NAME}"
    if not unicodedata.is_normalized("NFC", name):
        return "spells its accents apart from their letters (as macOS may), which other programs do not match"
    return ""
