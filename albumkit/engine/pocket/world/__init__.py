"""The pocket world: captioned photographs of toys, drawn from numbers, for training and judging the pocket
base.

scenes = sample(seed=1, n=64)
images, masks = render(scenes, 128, "cuda")
words = [caption(scenes, i) for i in range(64)]
"""

from albumkit.engine.pocket.world.captions import caption, captions, prompts
from albumkit.engine.pocket.world.photograph import render
from albumkit.engine.pocket.world.scenes import Scenes, figurine, held_out, sample, see_again

__all__ = [
    "Scenes",
    "caption",
    "captions",
    "figurine",
    "held_out",
    "prompts",
    "render",
    "sample",
    "see_again",
]
