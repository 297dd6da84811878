"""``caption``: album, policy, captioner, lint and journal composed; draws nothing."""

from albumkit.captioning.check import Checked, CheckReport, check_album
from albumkit.captioning.job import Job, open_job
from albumkit.captioning.judging import Judge, Reason
from albumkit.captioning.overview import Overview
from albumkit.captioning.run import CaptionReport, Outcome, caption_album
from albumkit.captioning.writing import Wrote, caption_files, replace_in_captions, undo_captions

__all__ = [
    "CaptionReport",
    "CheckReport",
    "Checked",
    "Job",
    "Judge",
    "Outcome",
    "Overview",
    "Reason",
    "Wrote",
    "caption_album",
    "caption_files",
    "check_album",
    "open_job",
    "replace_in_captions",
    "undo_captions",
]
