"""What a training will be: the album linted and packed into a run, or a run that goes on. Loads no weight."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albumkit.album import expand
from albumkit.config import Config
from albumkit.doctor import nvidia_cards
from albumkit.errors import AlbumkitError, UsageError
from albumkit.lint import AlbumResult
from albumkit.opening import OpenAlbum, open_album
from albumkit.paths import quoted
from albumkit.preparing import FOLDER as SIDECARS
from albumkit.preparing import Makers, kept_sidecars, make_sidecars
from albumkit.settings import Settings, resolve
from albumkit.trainer import LOCAL
from albumkit.workflows import Progress, Refused, archive_path, pack_album

if TYPE_CHECKING:
    from albumkit.engine.base import Base
    from albumkit.engine.data import Placed
    from albumkit.engine.knobs import Knobs, Prompt
    from albumkit.engine.machine import Machine
    from albumkit.engine.memory import Forecast
    from albumkit.engine.pack import OpenPack


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

    def looks_after(self, step: int) -> int:
        """How often pictures will be made after this step; the look at step 0 is none of them."""
        every, steps = self.knobs.validation_every, self.knobs.steps
        return steps // every + bool(steps % every) - step // every if self.knobs.prompts else 0

    @property
    def look_seconds(self) -> float:
        """What one look at all prompts will take, by the forecast of a step: a prediction is half of what an
        example costs.
        """
        from albumkit.engine.sample import Recipe

        recipe = Recipe.usual(self.base, self.knobs.resolution, self.knobs.resolution)
        predictions = recipe.steps * (2 if recipe.guidance > 1 else 1) * len(self.knobs.prompts)
        return predictions * self.forecast.step_seconds / self.knobs.examples_per_step / 2

    @property
    def seconds(self) -> tuple[float, float]:
        """The forecast of what is still to do: training, and looking."""
        looks = self.looks_after(self.since) + (self.since == 0 and bool(self.knobs.prompts))
        left = self.knobs.steps - self.since
        return self.forecast.step_seconds * left, self.look_seconds * looks

    @property
    def masked(self) -> int:
        """Examples whose mask counts."""
        return sum(one.item.mask is not None for one in self.placed) if self.knobs.masks else 0


def prepare_training(
    album: Path,
    *,
    base: str | None = None,
    trainer: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    out: Path | None = None,
    strict: bool = False,
    makers: Makers | None = None,
    dry: bool = False,
    progress: Progress | None = None,
) -> Prepared:
    """Lint and pack the album into a new run folder, and find out what the training will be.

    Args:
        trainer: Only ``local`` trains here; needed where album.toml names a hosted one.
        out: The run folder; ``runs/NAME-1``, ``-2`` ... by default.
        makers: Make the captions and masks that the album lacks, for this run alone (``--prepare``).
        dry: Pack into a folder that is thrown away, and leave nothing behind (``train --plan``).

    Raises:
        Refused: the album has errors.
        UsageError: no base was named, or the trainer of album.toml is not this machine.
        AlbumkitError: the base is not there, captions or masks are missing.
    """
    from albumkit.engine.run import Begun, free_run, write_run

    asked = _asked(album, base, trainer, overrides or {})
    packing = _Packing(asked.opened.path, asked.overrides, strict, progress)
    run = out or free_run(asked.opened.album.name)
    if not dry and run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise UsageError(
            f"{run.as_posix()} is there already.", f"albumkit train --resume {quoted(run.as_posix())}"
        )
    if dry:
        with tempfile.TemporaryDirectory() as folder:
            return _begin(asked, packing, run, Path(folder), makers)
    made = not run.exists()
    try:
        prepared = _begin(asked, packing, run, run, makers)
    except BaseException:  # Ctrl-C too: what has not begun cannot be gone on with
        for own in (run / "pack", run / SIDECARS):  # the models' answers are kept elsewhere
            shutil.rmtree(own, ignore_errors=True)
        with suppress(OSError):
            if made:
                run.rmdir()
        raise
    knobs, runtimes = prepared.knobs, prepared.runtimes
    write_run(run, Begun(asked.opened.path.resolve(), asked.base.place, asked.overrides, runtimes, knobs))
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
    since = 0
    for last in checkpoint.all_checkpoints(run)[-1:]:
        since = last.step
        ended = (run / last.adapter.name).is_file()  # else it was stopped between its last step and its end
        if since > knobs.steps or (since == knobs.steps and ended):
            raise UsageError(
                f"{run.as_posix()} is finished: it has {since} of {knobs.steps} steps.",
                f"albumkit train --resume {quoted(run.as_posix())} --steps {since * 2}",
            )
    album = begun.album
    if album.exists():
        kept = kept_sidecars(run / SIDECARS, album)
        packing = _Packing(album, begun.overrides, progress=progress, proposed=kept)
        with tempfile.TemporaryDirectory(dir=run) as folder:
            _, now = packing.into(Path(folder) / begun.pack.name)
            if changes := changes_of(_open_pack(begun.pack), now):
                if not accept_changes:
                    raise changed_album(album, run, changes)
                packing.into(begun.pack)
    base = find_base(begun.base)
    prepared = _planned(run, album, begun.runtimes, None, _open_pack(begun.pack), base, knobs)
    prepared = replace(prepared, since=since)
    write_run(run, replace(begun, knobs=prepared.knobs))
    return prepared


@dataclass(frozen=True)
class _Asked:
    """What is to be trained on what. ``overrides``: the command line's knobs, the base among them."""

    opened: OpenAlbum
    settings: Settings
    overrides: Mapping[str, Any]
    base: Base


def _asked(album: Path, base: str | None, trainer: str | None, overrides: Mapping[str, Any]) -> _Asked:
    albums = expand([album])
    if len(albums) != 1:
        raise UsageError(f"{album.as_posix()} holds {len(albums)} albums; train takes one at a time.")
    opened = open_album(albums[0])
    shown = albums[0].as_posix()
    hosted = opened.config.train.trainer
    if trainer is None and hosted is not None and hosted != LOCAL:
        raise UsageError(
            f"{shown} is to be trained by {hosted} (album.toml), which is not this machine.",
            f"albumkit pack {quoted(shown)}   makes the archive for it\n"
            f"albumkit train {quoted(shown)} --trainer local   trains here",
        )
    if trainer not in (None, LOCAL):
        raise UsageError(
            f"--trainer {trainer} is not this machine.", f"albumkit pack {quoted(shown)} --trainer {trainer}"
        )
    given = {**overrides, **({"base": base} if base is not None else {})}
    settings = resolve(opened.config, guessed_kind=opened.guessed_kind, trainer=LOCAL, overrides=given)
    return _Asked(opened, settings, given, _base(settings))


def _base(settings: Settings) -> Base:
    from albumkit.engine.base import POCKET, find_base
    from albumkit.engine.survey import bases_here

    named = settings.value("base")
    if named:
        return find_base(str(named))
    here = bases_here()
    cards = [" ".join(card.split(", ")[:2]) + " MiB" for card in nvidia_cards()]
    has = f"bases: {', '.join(here) or 'none'}; graphics card: {', '.join(cards) or 'none'}"
    ways = ["--base black-forest-labs/FLUX.2-klein-base-4B   trains a LoRA for FLUX.2 klein"]
    if POCKET in here:
        ways.append(f"--base {POCKET}   rehearses on the small base that ships with albumkit")
    raise UsageError(f"Which base? This machine has {has}.", "\n".join(ways))


@dataclass(frozen=True)
class _Packing:
    """How the album is packed for this machine: by a new run, and again by one that goes on.

    ``proposed``: captions and masks that the album itself does not have, by path.
    """

    album: Path
    overrides: Mapping[str, Any]
    strict: bool = False
    progress: Progress | None = None
    proposed: Mapping[str, bytes] = field(default_factory=dict)

    def into(self, archive: Path) -> tuple[AlbumResult, OpenPack]:
        """Lint and pack; raises Refused where the album has errors."""
        try:
            result, _ = pack_album(
                self.album,
                archive,
                trainer=LOCAL,
                overrides=self.overrides,
                strict=self.strict,
                proposed=self.proposed,
                progress=self.progress,
            )
        except Refused as refused:
            remedy = "mend them as lint says, or leave a picture out with exclude in album.toml"
            raise Refused(refused.result, "trained on", remedy) from refused
        return result, _open_pack(archive)


def _begin(asked: _Asked, packing: _Packing, run: Path, place: Path, makers: Makers | None) -> Prepared:
    """A new run's album, made whole and packed. ``place``: the run's folder, or one that is thrown away."""
    from albumkit.engine.knobs import Knobs

    album, settings = asked.opened.path, asked.settings
    folder = place / "pack"
    folder.mkdir(parents=True, exist_ok=True)
    if makers is not None:
        made = make_sidecars(album, place / SIDECARS, settings, makers, packing.progress)
        packing = replace(packing, proposed=made)
    result, pack = packing.into(archive_path(asked.opened, folder))
    _need_masks(album, settings, pack)
    knobs = Knobs.of(settings, asked.base.side)
    return _planned(run, album, settings.runtimes, result, pack, asked.base, knobs)


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


def _usual_prompts(knobs: Knobs, pack: OpenPack) -> tuple[Prompt, ...]:
    """Where nobody wrote any: one off the album, and one of its own captions."""
    from albumkit.engine.knobs import Prompt

    name = " ".join(word for word in (knobs.trigger, knobs.class_phrase) if word)
    first = pack.items[0].caption
    texts = [f"a photo of {name}", first] if name else [first]
    return tuple(Prompt(text, knobs.seed + number) for number, text in enumerate(dict.fromkeys(texts)))


def _need_masks(album: Path, settings: Settings, pack: OpenPack) -> None:
    bare = [item.root for item in pack.items if item.mask is None]
    if not settings.value("create_masks") or not bare:
        return
    named = ", ".join(bare[:4]) + (" ..." if len(bare) > 4 else "")
    shown = quoted(album.as_posix())
    raise AlbumkitError(
        f"{len(bare)} of {len(pack.items)} examples have no mask, and create_masks is on: {named}.",
        f"albumkit mask {shown}   makes them\n"
        f"albumkit train {shown} --prepare   makes them for this run alone\n"
        f"albumkit train {shown} --set create_masks=false   learns the pictures whole",
    )


def _open_pack(path: Path) -> OpenPack:
    from albumkit.engine.pack import OpenPack

    settings = resolve(Config(), guessed_kind="subject", trainer=LOCAL)
    return OpenPack(path, settings.trainer.archive)
