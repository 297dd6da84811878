"""The forms that an adapter can be converted to; docs/decisions/0008-what-convert-writes.md says why."""

from __future__ import annotations

from dataclasses import dataclass

from albumkit.adapter.schemes import SCHEMES
from albumkit.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Form:
    """One form: how it spells keys, and what it can hold.

    Attributes:
        id: Its name on the command line, which is that of its scheme.
        prefix, layout: As in :class:`albumkit.adapter.Scheme`.
        down, up: Suffixes of the two factors.
        alpha: Whether each module has an ``.alpha``; else the scale is folded into the lower factor.
        architectures: Those for which a program is known that loads it.
        lycoris: Whether programs that load it know LoKr and LoHa under its names.
    """

    id: str
    prefix: str
    layout: str
    down: str
    up: str
    alpha: bool
    architectures: tuple[str, ...]
    lycoris: bool

    def stem(self, name: str) -> str:
        """The key of a module without its suffix."""
        return self.prefix + (name.replace(".", "_") if self.prefix.endswith("_") else name)


_PEFT = (".lora_A.weight", ".lora_B.weight")
_KOHYA = (".lora_down.weight", ".lora_up.weight")
_SCHEMES = {scheme.id: scheme for scheme in SCHEMES}


def _form(
    name: str, suffixes: tuple[str, str], *architectures: str, alpha: bool = False, lycoris: bool = False
) -> Form:
    scheme = _SCHEMES[name]
    return Form(name, scheme.prefix, scheme.layout, *suffixes, alpha, architectures, lycoris)


FORMS = {
    form.id: form
    for form in (
        _form("comfy", _PEFT, "flux2", "flux1", lycoris=True),
        _form("fal", _PEFT, "flux2"),
        _form("diffusers", _PEFT, "flux2", "flux1"),
        _form("kohya", _KOHYA, "flux2", "flux1", alpha=True, lycoris=True),
    )
}


def find_form(name: str) -> Form:
    """A form by its name.

    Raises:
        UnknownName: there is no such form.
    """
    if name not in FORMS:
        raise UnknownName("form", name, FORMS, f"Known are {', '.join(FORMS)}.")
    return FORMS[name]
