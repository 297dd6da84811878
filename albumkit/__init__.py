"""albumkit: from an album of pictures to a LoRA that is proven to load."""

__version__ = "0.2.0"
