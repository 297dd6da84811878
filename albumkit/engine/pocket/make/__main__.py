"""`python -m albumkit.engine.pocket.make PART --out FOLDER [--from FOLDER ...]`

Parts, in order: tokenizer, autoencoder, lessons (the drawn pictures as latents, kept in --keep for every
round of the next part on this machine), transformer (with the text encoder; given its own output with --from
it goes on from there), judge, captioner, card, folder. Each needs the outputs of those before it, by --from
or in --out.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch

from albumkit.engine.pocket.make import (
    autoencoder,
    base,
    captioning,
    card,
    judging,
    lessons,
    shipping,
    tokenizer,
)
from albumkit.engine.pocket.make.plan import FULL, SMOKE

PARTS = ("tokenizer", "autoencoder", "lessons", "transformer", "judge", "captioner", "card", "folder")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m albumkit.engine.pocket.make", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--out", type=Path, required=True, help="where this part's files go")
    parser.add_argument(
        "--from", dest="sources", type=Path, action="append", default=[], help="outputs of earlier parts"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the pictures and the training")
    parser.add_argument("--seconds", type=float, help="train this long instead of the plan's time")
    parser.add_argument("--pictures", type=int, help="draw so many pictures instead of the plan's number")
    parser.add_argument(
        "--smoke", action="store_true", help="everything once, tiny, to find mistakes on a CPU"
    )
    parser.add_argument("--keep", type=Path, help="where the lessons are; drawn anew if not given")
    parser.add_argument(
        "--hold", action="store_true", help="keep the learning rate to the end: another round follows"
    )
    parser.add_argument("--eager", action="store_true", help="without torch.compile")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    plan = SMOKE if given.smoke else FULL
    changes: dict[str, float | bool] = {}
    if given.seconds is not None:
        changes = {
            f"{name}_seconds": given.seconds for name in ("autoencoder", "transformer", "judge", "captioner")
        }
    if given.pictures is not None:
        changes |= {
            f"{name}pictures": given.pictures for name in ("", "autoencoder_", "judge_", "captioner_")
        }
    if given.hold:
        changes["hold"] = True
    if given.eager:
        changes["compiled"] = False
    plan = dataclasses.replace(plan, **changes)
    device = torch.device(given.device)
    folders = [*given.sources, given.out]
    if given.part == "tokenizer":
        tokenizer.make(given.out, 500 if given.smoke else 40_000)
    elif given.part == "folder":
        shipping.write(given.out, given.sources)
    elif given.part == "lessons":
        lessons.make(given.keep or given.out, folders, plan, device, given.seed)
    elif given.part == "transformer":
        base.make(given.out, folders, plan, device, given.seed, given.keep)
    else:
        makers = {"autoencoder": autoencoder, "judge": judging, "captioner": captioning, "card": card}
        maker = makers[given.part]
        maker.make(given.out, folders, plan, device, given.seed)


if __name__ == "__main__":
    main()
