"""Conversion of an adapter from one form to another, without a library and without reading it into memory.

What only changes names or cuts rows keeps its numbers bit by bit. Names come from the tables of
:mod:`albumkit.adapter.naming`; :mod:`.plan` decides what becomes of each module, :mod:`.matrix` brings the
bytes, :mod:`.scaling` multiplies raw words, :mod:`.write` streams the file.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albumkit.adapter.conversion.forms import FORMS, Form, find_form
from albumkit.adapter.header import short
from albumkit.adapter.naming import ARCHITECTURES, architecture
from albumkit.errors import AdapterError, UsageError

if TYPE_CHECKING:
    from albumkit.adapter.conversion.plan import Plan
    from albumkit.adapter.conversion.write import Progress
    from albumkit.adapter.model import Adapter, Module

__all__ = ["FORMS", "Conversion", "Form", "can_convert", "convert", "find_form"]

_LOSSY = "allow the loss with --lossy"


@dataclass(frozen=True)
class Conversion:
    """What was converted, and what became of it.

    Attributes:
        source: The adapter that was read.
        path: The new file.
        form: Its form.
        size, tensors: Of the new file.
        modules: Rank of each module of the new file, by name; 0 for LoKr and LoHa.
        done: What was done to how many modules; see :class:`albumkit.adapter.conversion.plan.Plan`.
        rounded: Tensors that lost something to rounding, and
        error: how much: the root mean square of the loss, as a share of the factors' own.
        left_out: Keys that the new file does not hold; only with ``lossy``.
        texts_left_out: Texts of the header that hold no longer: checksums of the old bytes.
    """

    source: Adapter
    path: Path
    form: Form
    size: int
    tensors: int
    modules: Mapping[str, int]
    done: Counter[str]
    rounded: tuple[str, ...]
    error: float
    left_out: tuple[str, ...]
    texts_left_out: tuple[str, ...]


def convert(
    path: Path | str,
    out: Path | str,
    to: str,
    *,
    lossy: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Write a LoRA in another form.

    Args:
        path: The file to read; it stays as it is.
        out: The file to write, whole or not at all.
        to: A key of :data:`FORMS`.
        lossy: Multiply scales into the factors that round them, and leave out keys that no form holds.
        force: Replace ``out`` if it is there.
        progress: Called with (done, total) bytes after every tensor.

    Raises:
        UsageError: ``out`` cannot be written to, or there is no such form.
        AdapterError: ``path`` is no LoRA, or something of it would be lost; the message says what.
    """
    from albumkit.adapter.conversion.matrix import Source
    from albumkit.adapter.conversion.plan import make_plan
    from albumkit.adapter.conversion.scaling import Rounding
    from albumkit.adapter.conversion.trail import new_texts
    from albumkit.adapter.conversion.write import write_file
    from albumkit.adapter.read import open_adapter

    path, out, form = Path(path), Path(out), find_form(to)
    adapter = open_adapter(path)
    _must_be_free(path, out, force)
    _must_fit(adapter, form, lossy)
    with open(path, "rb", buffering=0) as stream:
        source = Source(path, stream, Rounding(path, allowed=lossy))
        plan = make_plan(adapter, form, source)
        if not lossy:
            _must_be_exact(adapter, form, plan)
        texts, left_out = new_texts(adapter, form, plan.trail)
        size = write_file(out, plan.entries, texts, source, progress)
    return Conversion(
        source=adapter,
        path=out,
        form=form,
        size=size,
        tensors=len(plan.entries),
        modules=plan.modules,
        done=plan.done,
        rounded=tuple(source.rounding.tensors),
        error=source.rounding.error,
        left_out=adapter.leftovers,
        texts_left_out=left_out,
    )


def can_convert(adapter: Adapter, to: str, *, lossy: bool = False) -> bool:
    """Whether a form can hold all of an adapter, by its header: so that nobody is told to try in vain."""
    form = find_form(to)
    try:
        _must_fit(adapter, form, lossy)
    except AdapterError:
        return False
    return lossy or form.alpha or all(_is_power_of_two(adapter.scale(m)) for m in adapter.modules)


def _is_power_of_two(scale: float) -> bool:
    return abs(math.frexp(scale)[0]) == 0.5


def _must_be_free(path: Path, out: Path, force: bool) -> None:
    shown = out.as_posix()
    if out.suffix.lower() != ".safetensors":
        raise UsageError(f"{shown}: its name must end in .safetensors, or no program will list it.")
    if not out.parent.is_dir():
        raise UsageError(f"{shown}: there is no folder {out.parent.as_posix()}.")
    if out.is_dir():
        raise UsageError(f"{shown} is a folder.")
    if out.exists():
        if out.samefile(path):
            raise UsageError(f"{shown} is the file that is read.", "Write to another name")
        if not force:
            raise UsageError(f"{shown} is there already.", "Write to another name, or add --force")


def _must_fit(adapter: Adapter, form: Form, lossy: bool) -> None:
    """Refuse what the form cannot hold."""
    if adapter.architecture is None:
        known = " and ".join(architecture(name).title for name in ARCHITECTURES)
        what = adapter.other.title if adapter.other else "a model that albumkit does not know"
        words = f"it is for {what}; how each form names the modules is known for {known}."
        raise AdapterError(adapter.path, words)
    if adapter.architecture.id not in form.architectures:
        raise AdapterError(
            adapter.path,
            f"it is for {adapter.architecture.title}; nothing is known to load that in the form {form.id}.",
            "convert --to diffusers: ComfyUI and diffusers load that",
        )
    lost = []
    if doras := [module.name for module in adapter.modules if module.magnitude]:
        lost.append(f"the DoRA magnitudes of {_some(doras)}, without which it is another adapter")
    lycoris = [m for m in adapter.modules if m.kind != "lora" and not _can_rename(m, form)]
    if lycoris:
        kinds = " and ".join(sorted({"LoKr" if m.kind == "lokr" else "LoHa" for m in lycoris}))
        lost.append(f"the {kinds} factors of {_some([m.name for m in lycoris])}, which cannot be named so")
    if adapter.leftovers and not lossy:
        lost.append(f"keys that belong to no module of the model: {_some(adapter.leftovers)}")
    if lost:
        remedy = _LOSSY if not (doras or lycoris) else ""
        raise AdapterError(adapter.path, f"the form {form.id} cannot hold {'; nor '.join(lost)}.", remedy)


def _can_rename(module: Module, form: Form) -> bool:
    """Whether a product that is no LoRA keeps its factors: nobody can cut rows out of it or swap them."""
    place = module.place
    if place is None or place.part is not None or not form.lycoris:
        return False
    return not place.linear.swapped or place.layout == form.layout


def _must_be_exact(adapter: Adapter, form: Form, plan: Plan) -> None:
    """Refuse to round scales into factors."""
    if not plan.inexact:
        return
    from albumkit.adapter.conversion.scaling import worst_rounding

    first = plan.inexact[0]
    dtype = first.tensors["down"].dtype
    why, kept = "has no alpha", "convert --to kohya keeps the scale beside the factors; or "
    if form.alpha:
        why, kept = "has one alpha for parts of a module that have several", ""
    names = _some([module.name for module in plan.inexact])
    raise AdapterError(
        adapter.path,
        f"{form.id} {why}, and the scale {adapter.scale(first):g} of {names} is no power of two: "
        f"in {dtype} factors every number would be rounded by up to {worst_rounding(dtype):.2g} of its size.",
        f"{kept}{_LOSSY}",
    )


def _some(names: Sequence[str]) -> str:
    """The first few of many names."""
    shown = ", ".join(map(short, names[:2]))
    return shown if len(names) < 3 else f"{shown} and {len(names) - 2:,} more"
