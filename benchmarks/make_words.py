"""Make albumkit/data/english-words.txt and given-names.txt out of SCOWL and the census of 1990.

    apt-get download scowl && dpkg-deb -x scowl_*.deb scowl
    pip download --no-deps names==0.3.0 && tar xzf names-0.3.0.tar.gz
    python benchmarks/make_words.py scowl/usr/share/dict/scowl names-0.3.0/names

Kept are the words of SCOWL's levels 10 to 40 (American, British and common) of 2 to 10 letters whose base is
not kept already: is_english strips regular endings itself. That is what 100 KB hold.
"""

from __future__ import annotations

import argparse
import re
from collections import defaultdict
from pathlib import Path

from albumkit.words import bases

DATA = Path(__file__).resolve().parent.parent / "albumkit" / "data"
LEVEL = 40
LONGEST = 10
NAMES_EACH = 250


def english(folder: Path) -> set[str]:
    found: set[str] = set()
    for file in folder.glob("*-words.*"):
        if file.name.split("-")[0] in ("english", "american", "british") and int(file.suffix[1:]) <= LEVEL:
            found |= set(file.read_text(encoding="latin-1").split())
    plain = {w for w in found if re.fullmatch("[a-z]{2,}", w)}
    letters = {w for w in plain if len(w) == 2 and w[1] == "s"} - {"as", "is", "us"}  # plurals of letters
    return {w for w in plain - letters if len(w) <= LONGEST and not plain.intersection(bases(w))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scowl", type=Path)
    parser.add_argument("names", type=Path)
    options = parser.parse_args()
    groups: dict[str, list[str]] = defaultdict(list)
    for word in sorted(english(options.scowl)):
        groups[word[:3]].append(word[3:] or "-")
    lines = (" ".join([start, *rests]) for start, rests in groups.items())
    (DATA / "english-words.txt").write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    names: set[str] = set()
    for part in ("female", "male"):
        rows = (options.names / f"dist.{part}.first").read_text(encoding="ascii").splitlines()
        names |= {row.split()[0].lower() for row in rows[:NAMES_EACH]}
    (DATA / "given-names.txt").write_text("".join(f"{n}\n" for n in sorted(names)), encoding="ascii")


if __name__ == "__main__":
    main()
