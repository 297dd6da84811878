"""Training and generating: the one part of albumkit that needs torch."""
