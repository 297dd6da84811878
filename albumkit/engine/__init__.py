"""What runs a model: the only part of albumkit that imports torch, diffusers, transformers and peft, and does
so inside functions. The extra ``train`` installs them.
"""
