"""Bring benchmarks/labs.md up to date from what labs.py wrote.

    python benchmarks/labs_page.py /tmp/labs

Tables between the markers ``<!-- GROUP -->`` and ``<!-- end -->`` are written anew, words beside them stay.
What they come from goes into benchmarks/labs/ (results, and the metrics of the three rhythms), and the figure
of the rhythms into docs/images/.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from labs_figure import Curve, draw_rhythms, running_mean

HERE = Path(__file__).resolve().parent
PAGE, DATA = HERE / "labs.md", HERE / "labs"
FIGURE = HERE.parent / "docs" / "images" / "loss-rhythms.png"
RHYTHMS = ("healthy", "too high", "overfitting")
_BLOCK = re.compile(r"(<!-- ([a-z_ ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Result = dict[str, Any]


def table(group: str, results: list[Result]) -> str:
    """One row a setting: identity on the way, then everything at the end; several seeds as mean (range)."""
    by_name: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        if one["group"] == group:
            by_name[one["name"]].append(one)
    if not by_name:
        raise SystemExit(f"There is no run of {group} in the results.")
    leaks = any(look["leak"] for runs in by_name.values() for run in runs for look in run["looks"])
    head = [group.split(" on ")[0].replace("_", " "), "steps", "runs", "identity", "half way", "obedience"]
    head += ["album loss", "held-out loss", *(["in the album's room"] if leaks else []), "training, one core"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, runs in sorted(by_name.items(), key=lambda item: _order(item[0])):
        last = [run["looks"][-1] for run in runs]
        middle = [run["looks"][len(run["looks"]) // 2] for run in runs]
        cells = [name, str(last[0]["step"]), str(len(runs)), spread(last, "of_own")]
        cells += [f"{mean(middle, 'of_own'):.0%} at {middle[0]['step']}", f"{mean(last, 'obedience'):.0%}"]
        cells += [f"{mean(last, 'album loss'):.3f}", f"{mean(last, 'held-out loss'):.3f}"]
        cells += [spread(last, "leak")] if leaks else []
        cells.append(f"{sum(run['training seconds'] for run in runs) / len(runs):.0f} s")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _order(name: str) -> tuple[float, str]:
    """Settings by their number, words before."""
    number = re.search(r"[\d.]+\Z", name)
    return (float(number[0]) if number else -1.0, name)


def course(name: str, results: list[Result]) -> str:
    """One row a look of one run."""
    run = next(one for one in results if one["group"] in ("rhythm", "steps") and one["name"] == name)
    lines = ["| steps | identity | obedience | album loss | held-out loss |", "|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {look['step']} | {look['of_own']:.0%} | {look['obedience']:.0%} | {look['album loss']:.3f} "
        f"| {look['held-out loss']:.3f} |"
        for look in run["looks"]
    ]
    return "\n".join(lines) + "\n"


def mean(looks: list[dict[str, float]], name: str) -> float:
    return sum(look[name] for look in looks) / len(looks)


def spread(looks: list[dict[str, float]], name: str) -> str:
    values = [look[name] for look in looks]
    words = f"{mean(looks, name):.0%}"
    return words if len(values) == 1 else f"{words} ({min(values):.0%} to {max(values):.0%})"


def figure(results: list[Result], folder: Path) -> None:
    panels = []
    for name in RHYTHMS:
        run = next(one for one in results if one["group"] == "rhythm" and one["name"] == name)
        text = (folder / f"{name.replace(' ', '_')}.jsonl").read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        looks = run["looks"]

        def curve(title: str, key: str, looks: list[dict[str, float]] = looks) -> Curve:
            return Curve(title, [(look["step"], look[key]) for look in looks])

        losses = [Curve("each step", running_mean(lines, 25))]
        losses += [curve("album loss", "album loss"), curve("held-out loss", "held-out loss")]
        shares = [curve("identity", "of_own"), curve("obedience", "obedience")]
        rate = f"{run['knobs'].get('learning_rate', lines[-1]['rate']):g}"
        pictures = 4 if run["album"] == "four" else 16
        panels.append((f"{name}: {pictures} pictures, learning rate {rate}", losses, shares))
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    draw_rhythms(panels, FIGURE)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="what labs.py --out wrote")
    given = parser.parse_args()
    results = json.loads((given.folder / "results.json").read_text(encoding="utf-8"))
    if all(any(one["name"] == name for one in results if one["group"] == "rhythm") for name in RHYTHMS):
        figure(results, given.folder)
    DATA.mkdir(exist_ok=True)
    for file in [given.folder / "results.json", *given.folder.glob("*.jsonl")]:
        if file.resolve().parent != DATA:
            shutil.copy(file, DATA)

    def fresh(block: re.Match[str]) -> str:
        asked = block[2]
        body = (
            course(asked.removeprefix("course "), results)
            if asked.startswith("course ")
            else table(asked, results)
        )
        return block[1] + body + block[3]

    PAGE.write_text(_BLOCK.sub(fresh, PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
