"""``train`` and ``generate``: lint, pack, loop, verify, composed; what was decided, then what came of it."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit import __version__
from albumkit.album import expand
from albumkit.atomic import write_whole
from albumkit.config import Config
from albumkit.doctor import nvidia_cards
from albumkit.errors import AlbumkitError, UsageError
from albumkit.lint import AlbumResult
from albumkit.opening import open_album
from albumkit.pack import Pack
from albumkit.paths import quoted
from albumkit.settings import Settings, resolve
from albumkit.trainer import LOCAL
from albumkit.verifying import VerifyReport, verify_files
from albumkit.workflows import Progress, archive_path, pack_album

if TYPE_CHECKING:
    from albumkit.engine.base import Base
    from albumkit.engine.data import Placed
    from albumkit.engine.effect import Effect
    from albumkit.engine.knobs import Knobs
    from albumkit.engine.machine import Machine
    from albumkit.engine.memory import Forecast
    from albumkit.engine.pack import OpenPack
    from albumkit.engine.session import Event


@dataclass(frozen=True)
class Prepared:
    """A training that could begin: everything effective, before a weight is loaded.

    ``result`` and ``pack`` are None where a run goes on with the pack that it has. ``since`` is the step that
    it goes on from, 0 for a new one.
    """

    run: Path
    album: Path
    runtimes: tuple[str, ...]
    result: AlbumResult | None
    pack: OpenPack
    base: Base
    machine: Machine
    knobs: Knobs
    placed: tuple[Placed, ...]
    forecast: Forecast
    since: int = 0

    @property
    def passes(self) -> float:
        """How often each picture is seen."""
        return self.knobs.steps * self.knobs.examples_per_step / len(self.placed)

    @property
    def masked(self) -> int:
        """Examples whose mask counts."""
        return sum(one.item.mask is not None for one in self.placed) if self.knobs.masks else 0


@dataclass(frozen=True)
class Trained:
    """What came of it. ``times`` are seconds by what they went into; ``peak`` the most bytes that steps took
    on the card, None without one.
    """

    prepared: Prepared
    adapter: Path
    verified: VerifyReport
    effect: Effect
    times: Mapping[str, float]
    peak: int | None


def prepare_training(
    album: Path,
    *,
    base: str | None = None,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    out: Path | None = None,
    strict: bool = False,
    dry: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Lint and pack the album into a new run folder, and find out what the training will be.

    Args:
        trainer: Only ``local`` trains here; needed where album.toml names a hosted one.
        out: The run folder; ``runs/NAME-1``, ``-2`` ... by default.
        dry: Pack into a folder that is thrown away, and leave nothing behind (``train --plan``).

    Raises:
        Refused: the album has errors.
        UsageError: no base was named, or the trainer of album.toml is not this machine.
        AlbumkitError: the base is not there, captions or masks are missing.
    """
    from albumkit.engine.run import Begun, free_run, write_run

    opened, settings, overrides = _settings(album, base, trainer, overrides or {})
    machine_base = _base(settings)
    run = out or free_run(opened.album.name)
    if not dry and run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise UsageError(f"{run.as_posix()} is there already.", f"albumkit train --resume {run.as_posix()}")
    if dry:
        with tempfile.TemporaryDirectory() as folder:
            return _prepare(
                opened.path, Path(folder), run, settings, overrides, machine_base, strict, progress
            )
    made = not run.exists()
    (run / "pack").mkdir(parents=True, exist_ok=True)
    try:
        prepared = _prepare(
            opened.path, run / "pack", run, settings, overrides, machine_base, strict, progress
        )
    except AlbumkitError:
        with suppress(OSError):  # only what is empty
            (run / "pack").rmdir()
            if made:
                run.rmdir()
        raise
    begun = Begun(opened.path.resolve(), machine_base.asked, overrides, settings.runtimes, prepared.knobs)
    write_run(run, begun)
    return prepared


def resume_training(
    run: Path, *, steps: int | None = None, accept_changes: bool = False, progress: Progress | None = None
) -> Prepared:
    """Go on with a run from its newest checkpoint.

    Args:
        steps: A new number of steps, to extend a finished run.
        accept_changes: Go on with the album as it is now, though it is not what the run began with.

    Raises:
        UsageError: it is no run, or nothing is left to do.
        AlbumkitError: the album was changed; the message names the pictures.
    """
    from albumkit.engine import checkpoint
    from albumkit.engine.base import find_base
    from albumkit.engine.run import changed_album, changes_of, read_run, write_run

    begun = read_run(run)
    knobs = begun.knobs
    if steps is not None:
        knobs = replace(knobs, steps=steps)
    found = checkpoint.all_checkpoints(run)
    if found and found[-1].step >= knobs.steps:
        raise UsageError(
            f"{run.as_posix()} is finished: it has {found[-1].step} of {knobs.steps} steps.",
            f"albumkit train --resume {run.as_posix()} --steps {found[-1].step * 2}",
        )
    album = begun.album
    if album.exists():
        with tempfile.TemporaryDirectory(dir=run) as folder:
            now = Path(folder) / begun.pack.name
            pack_album(album, now, trainer=LOCAL, overrides=begun.overrides, progress=progress)
            if changes := changes_of(_open_pack(begun.pack), _open_pack(now)):
                if not accept_changes:
                    raise changed_album(album, run, changes)
                pack_album(album, begun.pack, trainer=LOCAL, overrides=begun.overrides, progress=progress)
    base = find_base(begun.base)
    prepared = _planned(run, album, begun.runtimes, None, _open_pack(begun.pack), base, knobs)
    prepared = replace(prepared, since=found[-1].step if found else 0)
    write_run(run, replace(begun, knobs=prepared.knobs))
    return prepared


def train(prepared: Prepared, tell: Callable[[Event], None]) -> Trained:
    """Run it to the end, then prove that the file loads.

    Raises:
        Interrupted: Ctrl-C; the step was finished and saved.
        AlbumkitError: a loss is no number, memory is short, the disk is full.
    """
    from albumkit.engine import checkpoint
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
    now = time.perf_counter()
    times = {**session.times, "verifying": now - before, "all": now - start}
    return Trained(prepared, adapter, verified, effect, times, peak)


def generate(
    prompt: str,
    *,
    base: str,
    adapter: Path | None = None,
    scale: float = 1.0,
    seed: int = 0,
    size: tuple[int, int] | None = None,
    guidance: float | None = None,
    out: Path,
) -> str:
    """Make one picture.

    Args:
        size: Width and height in pixels; those of the base's own pictures by default.
        guidance: How far to lean away from the empty prompt, 1 for not at all; the base's own by default.
        out: A PNG.

    Returns:
        The adapter's trigger if the prompt lacks it, else "".

    Raises:
        UsageError: the size is none that the base can make.
        AlbumkitError: the base or the adapter cannot be used.
    """
    from albumkit.atomic import whole_file
    from albumkit.engine.base import find_base
    from albumkit.engine.generate import Wish, make_pictures
    from albumkit.engine.machine import find_machine
    from albumkit.engine.sample import Recipe

    found = find_base(base)
    width, height = size or (found.side, found.side)
    token = found.pixels_per_token
    if width % token or height % token or width < token or height < token:
        near = f"{max(1, round(width / token)) * token}x{max(1, round(height / token)) * token}"
        raise UsageError(
            f"--size {width}x{height}: both sides must be multiples of {token}.", f"--size {near}"
        )
    machine = find_machine(bool(nvidia_cards()))
    recipe = Recipe.usual(found, width, height)
    recipe = recipe if guidance is None else replace(recipe, guidance=guidance)
    (picture,) = make_pictures(found, machine, [Wish(prompt, seed)], recipe, adapter, scale)
    with whole_file(out) as stream:
        picture.save(stream, "PNG")
    trigger = verify_files([adapter]).files[0].trigger if adapter else ""
    return "" if trigger.casefold() in prompt.casefold() else trigger


def _settings(
    album: Path, base: str | None, trainer: str | None, overrides: Mapping[str, Any]
) -> tuple[Any, Settings, dict[str, Any]]:
    """The opened album, and its settings for the own engine."""
    albums = expand([album])
    if len(albums) != 1:
        raise UsageError(f"{album.as_posix()} holds {len(albums)} albums; train takes one at a time.")
    opened = open_album(albums[0])
    shown = albums[0].as_posix()
    hosted = opened.config.train.trainer
    if trainer is None and hosted is not None and hosted != LOCAL:
        raise UsageError(
            f"{shown} is to be trained by {hosted} (album.toml), which is not this machine.",
            f"albumkit pack {shown} makes the archive for it; "
            f"albumkit train {shown} --trainer local trains here",
        )
    if trainer not in (None, LOCAL):
        raise UsageError(
            f"--trainer {trainer} is not this machine.", f"albumkit pack {shown} --trainer {trainer}"
        )
    given = {**overrides, **({"base": base} if base is not None else {})}
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=LOCAL, overrides=given)
    return opened, settings, given


def _base(settings: Settings) -> Base:
    from albumkit.engine.base import POCKET, bases_here, find_base

    named = settings.value("base")
    if named:
        return find_base(str(named))
    here = bases_here()
    cards = [" ".join(card.split(", ")[:2]) + " MiB" for card in nvidia_cards()]
    has = f"bases: {', '.join(here) or 'none'}; graphics card: {', '.join(cards) or 'none'}"
    hint = f"--base {POCKET} rehearses on the small base that ships with albumkit" if POCKET in here else ""
    real = "--base black-forest-labs/FLUX.2-klein-base-4B trains a LoRA for FLUX.2 klein"
    raise UsageError(
        f"Which base? This machine has {has}.", "; ".join(words for words in (real, hint) if words)
    )


def _prepare(
    album: Path,
    folder: Path,
    run: Path,
    settings: Settings,
    overrides: Mapping[str, Any],
    base: Base,
    strict: bool,
    progress: Progress | None,
) -> Prepared:
    from albumkit.engine.knobs import Knobs

    archive = folder / archive_path(open_album(album), folder).name
    result, pack = pack_album(
        album, archive, trainer=LOCAL, overrides=overrides, strict=strict, progress=progress
    )
    _need_masks(album, settings, pack)
    knobs = Knobs.of(settings, base.side)
    return _planned(run, album, settings.runtimes, result, _open_pack(archive), base, knobs)


def _planned(
    run: Path,
    album: Path,
    runtimes: tuple[str, ...],
    result: AlbumResult | None,
    pack: OpenPack,
    base: Base,
    knobs: Knobs,
) -> Prepared:
    from albumkit.engine import data
    from albumkit.engine.machine import find_machine
    from albumkit.engine.memory import forecast

    machine = find_machine(bool(nvidia_cards()))
    buckets = data.all_buckets(knobs.resolution, base.pixels_per_token, knobs.aspect_ratio)
    placed = data.place(pack.items, data.picture_sizes(pack), buckets)
    if not knobs.prompts:
        knobs = replace(knobs, prompts=_usual_prompts(knobs, pack))
    expected = forecast(base, knobs, placed, machine)
    return Prepared(run, album, runtimes, result, pack, base, machine, knobs, tuple(placed), expected)


def _usual_prompts(knobs: Knobs, pack: OpenPack) -> tuple[Any, ...]:
    """Where nobody wrote any: one off the album, and one of its own captions."""
    from albumkit.engine.knobs import Prompt

    name = " ".join(word for word in (knobs.trigger, knobs.class_phrase) if word)
    first = pack.items[0].caption
    texts = [f"a photo of {name}", first] if name else [first]
    return tuple(Prompt(text, knobs.seed + number) for number, text in enumerate(dict.fromkeys(texts)))


def _need_masks(album: Path, settings: Settings, pack: Pack) -> None:
    if not settings.value("create_masks") or pack.masks == pack.examples:
        return
    raise AlbumkitError(
        f"{pack.examples - pack.masks} of {pack.examples} examples have no mask, and create_masks is on.",
        f"albumkit mask {quoted(album.as_posix())} makes them; "
        f"albumkit train {quoted(album.as_posix())} --set create_masks=false learns the pictures whole",
    )


def _open_pack(path: Path) -> OpenPack:
    from albumkit.engine.pack import OpenPack

    settings = resolve(Config(), guessed_kind="subject", trainer=LOCAL)
    return OpenPack(path, settings.trainer.archive)


def _label(prepared: Prepared) -> Any:
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

    side = max(prepared.base.pixels_per_token, min(512, prepared.base.side))
    wanted = [(open_adapter(adapter), prepared.knobs.prompts[0].text)]
    look = Look(seed=prepared.knobs.prompts[0].seed, side=side)
    (effect,) = measure_effects(prepared.base.asked, prepared.base.folder, wanted, look)
    return effect
