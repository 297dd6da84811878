"""What stands below the picture in ``caption --review``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from albumkit.report.caption import reason_lines
from albumkit.report.text import wrapped

if TYPE_CHECKING:
    from albumkit.captioning.review import Item

_OWNERS = {
    "nobody": "no caption yet",
    "machine": "by the machine",
    "accepted": "by the machine, accepted",
    "person": "yours",
}


def item_lines(item: Item, number: str, length: str, width: int) -> list[Text]:
    """Title, caption, findings and keys."""
    title = f"   {number}   {_OWNERS[item.standing.owner]}"
    lines = [Text.assemble((item.path, "bold"), title, (f"   {length}" if item.text else "", "dim"))]
    lines += wrapped(item.text, width, "  ") if item.text else []
    for line in reason_lines(item.reasons, width):
        line.stylize("yellow")
        lines.append(line)
    keys = [("a", "accept")] if item.can_be_accepted else []
    keys += [("e", "edit" if item.text else "write one"), ("s", "skip"), ("b", "back"), ("q", "quit")]
    foot = Text()
    for key, words in keys:
        foot.append_text(Text.assemble((f" {key} ", "reverse"), f" {words}   "))
    return [*lines, foot]
