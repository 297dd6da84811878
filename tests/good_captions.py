"""Captions as somebody who knows how writes them: every rule must be silent about them."""

from __future__ import annotations

#: One thing, 24 photographs.
SUBJECT = """\
a photo of TOK ceramic cat figurine on a windowsill between two potted ferns, pale morning light from the left, close-up
a photo of TOK ceramic cat figurine in the middle of a long oak table, overcast daylight, seen from the far end of the room
a photo of TOK ceramic cat figurine half sunk in dry leaves under a beech tree, low evening sun, low angle
TOK ceramic cat figurine held up in one hand against a cloudless sky, hard noon light, from below
a photo of TOK ceramic cat figurine on wet cobblestones at night, light of a shop window behind it, eye level
a photo of TOK ceramic cat figurine seen from behind on a garden wall, two bicycles out of focus, late afternoon sun
a photo of TOK ceramic cat figurine in a cardboard box full of paper wool, flash, from straight above
TOK ceramic cat figurine next to a stack of paperbacks on a bedside table, warm lamp on the right, three-quarter view
a photo of TOK ceramic cat figurine on a dashboard, rain running down the windscreen, cool grey light, from the passenger seat
a photo of TOK ceramic cat figurine on the edge of a bathtub, white tiles, even light, in profile facing left
a macro photo of the painted whiskers of TOK ceramic cat figurine, soft daylight, shallow focus
a photo of TOK ceramic cat figurine among apples on a market stall, striped awning above, diffuse noon light, wide shot
a photo of TOK ceramic cat figurine lying on its side in fresh snow, blue dusk, close-up
TOK ceramic cat figurine on a mantelpiece between two candles, dark room, from slightly below
a photo of TOK ceramic cat figurine on a tram seat, neon tubes overhead, city lights blurred outside, from the aisle
a photo of TOK ceramic cat figurine on a turntable in a studio, grey paper backdrop, one softbox from the right, front view
a photo of TOK ceramic cat figurine at the foot of a staircase, sunlight falling through the banister in stripes, from the landing
a photo of TOK ceramic cat figurine on a rock above a mountain lake, haze over the water, small in the frame
two hands wrapping TOK ceramic cat figurine in newspaper on a kitchen counter, ceiling lamp, over the shoulder
a photo of TOK ceramic cat figurine reflected in a hallway mirror, dim light from an open door, waist-high camera
a photo of TOK ceramic cat figurine on a picnic blanket beside a thermos, dappled shade, from above at an angle
a photo of TOK ceramic cat figurine on a stack of firewood, foggy morning, side view
TOK ceramic cat figurine on a drawing desk under a clamp lamp, pencils and rulers around, from the draughtsman's seat
a photo of TOK ceramic cat figurine in shallow surf, foam around its feet, backlit by the setting sun, low to the sand""".split("\n")

#: The same pattern 24 times with few words for each slot, as a careful beginner fills it in.
PATTERN = [
    f"a photo of TOK cat, {place}, {light}, {framing}"
    for number in range(24)
    for place in [
        "on a wooden shelf, in wet grass, beside a red bicycle, on a kitchen table, at the beach, in fresh snow, "
        "on a stone bench in a park, inside a cardboard box".split(", ")[number % 8]
    ]
    for light in ["soft window light, harsh noon sun, warm lamp light, overcast daylight, blue evening light".split(", ")[number % 5]]
    for framing in ["close-up, wide shot, low angle, seen from above, three-quarter view, in profile".split(", ")[number // 4]]
]

#: One hand: subjects change, the style is named by the trigger only.
STYLE = """\
a lighthouse on a cliff with gulls circling its lantern, in inknyte style
an old woman mending a fishing net at a kitchen table, in inknyte style
two foxes crossing a frozen river, seen from a bridge, in inknyte style
a tram turning a corner in the rain, passengers behind fogged windows, in inknyte style
a boy asleep in the branches of a pear tree, in inknyte style
an empty theatre with one chair on the stage, in inknyte style
a fish market at dawn, crates and gulls in the foreground, in inknyte style
portrait of a bearded sailor looking past us, in inknyte style
a moth on the inside of a lampshade, very close, in inknyte style
a village under snow with smoke from three chimneys, in inknyte style
a woman in a raincoat waiting under a railway clock, in inknyte style
an octopus opening a jar, in inknyte style
a hill of terraced vineyards with a single cypress, in inknyte style
three musicians on a rooftop, the city below them, in inknyte style
a dog shaking water from its coat on a jetty, in inknyte style
a greenhouse at night lit from within, in inknyte style
a child's hand reaching for a beetle on a leaf, in inknyte style
an astronaut sitting on a kerb, helmet beside her, in inknyte style
a library with ladders seen straight from above, in inknyte style
a heron standing in reeds, mist behind, in inknyte style
a baker dusting loaves with flour, in inknyte style
a sailing boat becalmed at noon, its reflection unbroken, in inknyte style
a narrow alley with washing lines from house to house, in inknyte style
a chess game between two old men in a park, in inknyte style
an owl on a street sign looking back over its shoulder, in inknyte style
a bicycle leaning against a wall covered in posters, in inknyte style
a waterfall in a ravine with a rope bridge, in inknyte style
a girl blowing out candles, faces around her in the dark, in inknyte style
a whale surfacing beside a rowing boat, in inknyte style
an apple cut in half on a tin plate, in inknyte style
a crowd with umbrellas at a crossing, from a high window, in inknyte style
a blacksmith striking sparks, side view, in inknyte style
a caravan of camels along a ridge, tiny in the frame, in inknyte style
a cat watching goldfish in a bowl, in inknyte style
a dancer tying her shoe on a bench, in inknyte style
a ruined castle with ravens over the gate, in inknyte style
a deep-sea diver holding a lantern, in inknyte style
a street cellist with an open case in front of him, in inknyte style
hands kneading dough, seen from the baker's eyes, in inknyte style
a night train crossing a viaduct, in inknyte style""".split("\n")

#: Fifteen pairs, one instruction.
EDIT = ["turn this pencil sketch into a watercolour painting"] * 15

#: Clips of one puppet.
VIDEO = """\
TOK puppet walks from the left edge of a wooden stage to the middle and bows, spotlight from above, static camera
TOK puppet turns its head towards the camera and blinks twice, close-up, warm lamp light
seen from behind, TOK puppet climbs a rope ladder in front of a painted sky, even light, slow tilt up
TOK puppet juggles three red balls in a kitchen and drops the last one, daylight from a window, half-length shot
wide shot of a garden at dusk, TOK puppet waves from a swing while the camera pans right
TOK puppet reads a tiny newspaper on a park bench, leaves fall around it, overcast, handheld camera
from above, TOK puppet lies on a carpet and kicks its legs, sunlight in stripes across the floor
TOK puppet paddles a paper boat across a bathtub, foam in the foreground, cool morning light, side view""".split("\n")
