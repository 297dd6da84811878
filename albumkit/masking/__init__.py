"""``mask`` for one album: what is to be masked, a masker that is asked, the rules, then files."""

from albumkit.masking.plan import Job, Left, Plan
from albumkit.masking.run import Failed, Made, MaskReport, make_masks
from albumkit.masking.writing import undo_masks

__all__ = ["Failed", "Job", "Left", "Made", "MaskReport", "Plan", "make_masks", "undo_masks"]
