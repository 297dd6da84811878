"""What runs a model: the only part of albumkit that imports torch, diffusers, transformers and peft, and that
inside of functions. The extra ``train`` installs them.
"""
