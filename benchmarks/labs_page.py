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
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

from labs_figure import Curve, draw_rhythms, running_mean

HERE = Path(__file__).resolve().parent
PAGE, DATA = HERE / "labs.md", HERE / "labs"
FIGURE = HERE.parent / "docs" / "images" / "loss-rhythms.png"
RHYTHMS = ("healthy", "too high", "overfitting")
_BLOCK = re.compile(r"(<!-- ([a-z_, ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
#: What the album's own knobs are called in tables of masks; in tables of knobs they go by their value.
_BASIS = {"masks in many places": "exact, floor 0.1"}

Result = dict[str, Any]


def basis(results: list[Result]) -> list[Result]:
    """Trainings with the album's own knobs, a seed each; the healthy one of the rhythms is the first."""
    return [one for one in results if one["group"] == "basis" or one["name"] == "healthy"]


def table(group: str, results: list[Result]) -> str:
    """One row a setting, as it was at the end; of several seeds the mean (range)."""
    by_name: dict[str, list[Result]] = defaultdict(list)
    for one in results:
        if one["group"] == group:
            by_name[one["name"]].append(one)
    if not by_name:
        raise SystemExit(f"There is no run of {group} in the results.")
    for one in basis(results):
        name = _BASIS.get(group) or (f"{one['used'][group]:g}" if group in one["used"] else None)
        if name:
            by_name[name].append(one)
    leaks = group.startswith("masks")
    head = ["masks" if leaks else group.replace("_", " "), "runs", "identity", "obedience"]
    head += ["in the album's places"] if leaks else ["album loss", "held-out loss", "training, one core"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for name, runs in sorted(by_name.items(), key=lambda item: _order(item[0])):
        last = [run["looks"][-1] for run in runs]
        cells = [name, str(len(runs)), spread(last, "of_own"), f"{mean(last, 'obedience'):.0%}"]
        if leaks:
            cells.append(estimate(last, "leak"))
        else:
            cells += [f"{mean(last, 'album loss'):.3f}", f"{mean(last, 'held-out loss'):.3f}"]
            cells.append(f"{sum(run['training seconds'] for run in runs) / len(runs):.0f} s")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _order(name: str) -> tuple[float, str]:
    """Knobs by their number; masks none first, then by what the background weighs."""
    number = re.search(r"[\d.]+\Z", name)
    return (float(number[0]) if number else -1.0, name)


def guidances(results: list[Result]) -> str:
    """One row a guidance: the same trainings, asked with more or less of it."""
    scores: dict[str, list[dict[str, float]]] = defaultdict(list)
    for one in basis(results):
        for guidance, score in one["guidances"].items():
            scores[guidance].append(score)
    lines = ["| guidance | runs | identity | place | light |", "|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {guidance} | {len(some)} | {spread(some, 'of_own')} | {mean(some, 'place'):.0%} "
        f"| {mean(some, 'light'):.0%} |"
        for guidance, some in sorted(scores.items(), key=lambda item: float(item[0]))
    ]
    return "\n".join(lines) + "\n"


def course(name: str, results: list[Result]) -> str:
    """One row a look of one run."""
    run = next(one for one in results if one["group"] == "rhythm" and one["name"] == name)
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


def estimate(looks: list[dict[str, float]], name: str) -> str:
    """The mean and its standard error."""
    error = statistics.stdev(look[name] for look in looks) / len(looks) ** 0.5
    return f"{mean(looks, name):.1%} ± {100 * error:.1f}"


def metrics_file(name: str) -> str:
    """As labs.py calls a rhythm's metrics."""
    return f"{name.replace(' ', '_')}.jsonl"


def figure(results: list[Result], folder: Path) -> None:
    panels = []
    for name in RHYTHMS:
        run = next(one for one in results if one["group"] == "rhythm" and one["name"] == name)
        text = (folder / metrics_file(name)).read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines()]
        looks = run["looks"]

        def curve(title: str, key: str, looks: list[dict[str, float]] = looks) -> Curve:
            return Curve(title, [(look["step"], look[key]) for look in looks])

        losses = [Curve("each step", running_mean(lines, 25))]
        losses += [curve("album loss", "album loss"), curve("held-out loss", "held-out loss")]
        shares = [curve("identity", "of_own"), curve("obedience", "obedience")]
        pictures = 4 if run["album"].startswith("four") else 16
        title = f"{name}: {pictures} pictures, learning rate {run['used']['learning_rate']:g}"
        panels.append((title, losses, shares))
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
    for name in ("results.json", *(metrics_file(name) for name in RHYTHMS)):
        if given.folder.resolve() != DATA:
            shutil.copy(given.folder / name, DATA)

    def fresh(block: re.Match[str]) -> str:
        asked = block[2]
        if asked.startswith("course "):
            body = course(asked.removeprefix("course "), results)
        else:
            body = guidances(results) if asked == "guidance" else table(asked, results)
        return block[1] + body + block[3]

    PAGE.write_text(_BLOCK.sub(fresh, PAGE.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
