"""Captions that teach: what is asked of a captioner, what of its answer is used, and how it is written."""
