"""What answers questions about pictures, one file each, and the one function that picks among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from albumkit.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from albumkit.caption.protocol import Captioner

#: Each captioner, and the options beside ``model`` that it takes.
_TAKES = {
    "transformers": ("batch", "max_pixels"),
    "endpoint": ("base_url", "key_variable", "concurrency", "timeout"),
}


def captioner_for(
    name: str | None = None,
    *,
    model: str | None = None,
    base_url: str | None = None,
    key_variable: str | None = None,
    concurrency: int | None = None,
    timeout: float | None = None,
    batch: int | None = None,
    max_pixels: int | None = None,
    nvidia: bool = False,
) -> Captioner:
    """The captioner of a name; without one ``endpoint`` where a server is named, else ``transformers``.

    Args:
        model: A name on the hub or a folder (``transformers``), the server's name for it (``endpoint``).
        base_url, key_variable, concurrency, timeout: Of an endpoint; see ``endpoint.Endpoint``.
        batch, max_pixels: Of a model on this machine; see ``transformers.Transformers``.
        nvidia: The driver of an NVIDIA card answers here.

    Raises:
        UnknownName: there is no such captioner.
        UsageError: an option that it does not take, or that it needs.
        AlbumkitError: it cannot be used; the remedy says what is missing.
    """
    name = name or ("endpoint" if base_url else "transformers")
    if name not in _TAKES:
        raise UnknownName("captioner", name, _TAKES, f"one of {', '.join(_TAKES)}")
    options = {
        "base_url": base_url,
        "key_variable": key_variable,
        "concurrency": concurrency,
        "timeout": timeout,
        "batch": batch,
        "max_pixels": max_pixels,
    }
    given: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in _TAKES[name]:
            raise UsageError(
                f"--{option.replace('_', '-')}: {name} does not take it.", "albumkit caption --help"
            )
    if name == "endpoint":
        from albumkit.caption.captioners.endpoint import Endpoint

        if base_url is None:
            raise UsageError("An endpoint needs an address.", "--base-url http://localhost:11434/v1 (Ollama)")
        return Endpoint(model=model, **given)
    from albumkit.caption.captioners.transformers import DEFAULT, Transformers

    return Transformers(model or DEFAULT, nvidia=nvidia, **given)
