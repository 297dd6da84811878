"""What the programs that use a LoRA do with its keys: one module per loader, each a description to follow.

A loader is described step by step, in the order in which it tests and renames keys, and a file's keys are
sent that way: so what becomes of a file that nobody tried is predicted too. The steps were read in the
loaders' source and the outcome was run; tests/data/lora_matrix.json holds what was measured. Names, shapes
and alphas are all that is needed, never torch.
"""
