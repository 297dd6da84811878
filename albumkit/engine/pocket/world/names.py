"""The words of the pocket world: every kind, colour, pattern, place, light and framing, once.

An index into one of these tables is what a `Scenes` batch carries; captions, the renderer and the judge all
read the same table, so a word and its picture cannot drift apart.
"""

KINDS = (
    "mug", "teapot", "vase", "bottle", "ball", "gift box", "toy car", "toy house", "sailing boat", "mushroom",
    "duck", "teddy bear", "chair", "table lamp", "rocket",
)  # fmt: skip

# Drawn by the same renderer, but never sampled for training: the subject of the sample album `tok_figurine`.
FIGURINE = len(KINDS)

# sRGB of the middle of each colour; `sample` moves every picture's colour a little around it.
COLOURS = {
    "red": (0.80, 0.07, 0.07),
    "orange": (0.96, 0.46, 0.05),
    "yellow": (0.97, 0.84, 0.12),
    "green": (0.12, 0.55, 0.18),
    "blue": (0.08, 0.24, 0.78),
    "purple": (0.45, 0.14, 0.66),
    "pink": (0.97, 0.52, 0.68),
    "brown": (0.40, 0.22, 0.11),
    "black": (0.06, 0.06, 0.065),
    "white": (0.93, 0.93, 0.91),
}
COLOUR_NAMES = tuple(COLOURS)

PATTERNS = ("plain", "striped", "dotted", "checkered")
FIGURINE_GLAZE = len(PATTERNS)

FINISHES = ("matte", "glossy", "metal")

PLACES = (
    "on a wooden table", "on a wooden shelf", "on a kitchen counter", "on a carpet", "in a meadow",
    "on the beach",
    "in the snow", "in front of a brick wall", "in an autumn forest", "on a city street", "in the desert",
    "on a pebble path",
)  # fmt: skip

LIGHTS = ("overcast light", "noon sun", "golden hour", "lamp light at night")

# The unnamed framing is the ordinary one; captions leave it out.
FRAMINGS = ("", "close-up", "wide shot", "seen from above", "low angle")
