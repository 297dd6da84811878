"""``train``: a planned training run to its end, and the proof that what came of it loads."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit import __version__
from albumkit.atomic import whole_file, write_whole
from albumkit.journal import held
from albumkit.planning import Prepared
from albumkit.verifying import VerifyReport, verify_files

if TYPE_CHECKING:
    from albumkit.engine.checkpoint import Label
    from albumkit.engine.effect import Effect
    from albumkit.engine.session import Event


@dataclass(frozen=True)
class Trained:
    """What came of it. ``picture`` shows the base without and with it; ``times`` are seconds by what they
    went into; ``peak`` the most bytes that steps took on the card, None without one.
    """

    prepared: Prepared
    adapter: Path
    verified: VerifyReport
    effect: Effect
    picture: Path | None
    times: Mapping[str, float]
    peak: int | None


def train(prepared: Prepared, tell: Callable[[Event], None]) -> Trained:
    """Run it to the end, then prove that the file loads.

    Raises:
        Interrupted: Ctrl-C; the step was finished and saved.
        AlbumkitError: a loss is no number, memory is short, the disk is full, another process trains into the
            same run.
    """
    busy = f"Another albumkit is training into {prepared.run.as_posix()} right now."
    with held(prepared.run / ".lock", busy):
        return _train(prepared, tell)


def _train(prepared: Prepared, tell: Callable[[Event], None]) -> Trained:
    from albumkit.engine import checkpoint
    from albumkit.engine.effect import side_by_side
    from albumkit.engine.session import Session

    start = time.perf_counter()
    session = Session(
        prepared.run,
        prepared.base,
        prepared.machine,
        prepared.pack,
        list(prepared.placed),
        prepared.knobs,
        _label(prepared),
        prepared.forecast,
        tell,
    )
    found = checkpoint.all_checkpoints(prepared.run)
    session.prepare(found[-1] if found else None)
    session.try_out()
    saved = session.train()
    peak = session.peak
    prepared = replace(prepared, forecast=session.forecast)
    session.close()
    adapter = prepared.run / saved.adapter.name
    write_whole(adapter, saved.adapter.read_bytes())
    before = time.perf_counter()
    verified = verify_files([adapter], runtimes=prepared.runtimes)
    effect = _effect(prepared, adapter)
    picture = adapter.with_suffix(".effect.png") if effect.pictures else None
    if picture is not None:
        with whole_file(picture) as stream:
            side_by_side(effect, adapter.name).save(stream, "PNG")
    now = time.perf_counter()
    times = {**session.times, "verifying": now - before, "all": now - start}
    return Trained(prepared, adapter, verified, effect, picture, times, peak)


def _label(prepared: Prepared) -> Label:
    from albumkit.engine import checkpoint

    texts = checkpoint.header_texts(
        knobs=prepared.knobs,
        base=prepared.base,
        album_hash=prepared.pack.album_hash,
        captions=Counter(one.item.caption for one in prepared.placed),
        version=__version__,
    )
    return checkpoint.Label(prepared.base.id, texts)


def _effect(prepared: Prepared, adapter: Path) -> Effect:
    """What the finished file does to its base, through diffusers' own loader."""
    from albumkit.adapter import open_adapter
    from albumkit.engine.effect import Look, measure_effects

    token = prepared.base.pixels_per_token
    side = max(token, min(512, prepared.knobs.resolution) // token * token)
    wanted = [(open_adapter(adapter), prepared.knobs.prompts[0].text)]
    look = Look(seed=prepared.knobs.prompts[0].seed, side=side, picture=True)
    (effect,) = measure_effects(prepared.base, wanted, look)
    return effect
