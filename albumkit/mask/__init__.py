"""Masks of subjects: what a masker finds in a picture, and how it becomes the mask beside it."""
