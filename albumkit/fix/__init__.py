"""Fixes: named edits that mend what lint found, previewed before and undone after.

``make_plan`` drafts what would be done, in memory; ``albumkit.journal.perform`` writes it, all or nothing;
``undo`` takes the last one back. One module a kind of fix; :data:`FIXES` lists them.
"""

from albumkit.fix.draft import Edit, Refusal
from albumkit.fix.plan import (
    Plan,
    check_select,
    left_to_pack,
    make_plan,
    make_rename_plan,
    safety_of,
    wanted_fixes,
)
from albumkit.fix.registry import FIXES, Fix, Safety
from albumkit.fix.undo import Undone, undo, undoable

__all__ = [
    "FIXES",
    "Edit",
    "Fix",
    "Plan",
    "Refusal",
    "Safety",
    "Undone",
    "check_select",
    "left_to_pack",
    "make_plan",
    "make_rename_plan",
    "safety_of",
    "undo",
    "undoable",
    "wanted_fixes",
]
