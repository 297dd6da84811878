"""Why a JSON document of ours cannot be used: the path into it and the words of its schema.

The shipped documents are validated by the tests; at run time they are only read, because validating 70 files
would cost every command a quarter of a second. When reading one fails, this tells where.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from albumkit.errors import AlbumkitError
from albumkit.paths import rules_root


def unusable(file: Path, what: str, schema: str, cause: Exception | None = None) -> AlbumkitError:
    """The error for a document that could not be read.

    Args:
        file: The document.
        what: "a rule", "a trainer".
        schema: Name of its schema below rules/, such as ``rule.schema.json``.
        cause: What went wrong, told where the schema finds nothing wrong.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        rules = json.loads((rules_root() / schema).read_text(encoding="utf-8"))
    except OSError as error:
        return AlbumkitError(f"{file.as_posix()}: {error.strerror or error}.")
    except ValueError as error:
        return AlbumkitError(f"{file.as_posix()} is not JSON: {error}.")
    reason = first_violation(document, rules) or str(cause or "it does not have the expected form")
    return AlbumkitError(f"{file.as_posix()} is not {what}: {reason}.", f"Its form is rules/{schema}.")


def first_violation(document: Any, schema: dict[str, Any]) -> str:
    """``x-albumkit.severity: 'fatal' is not one of [...]`` for the most telling violation, or ""."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema).iter_errors(document))
    if error is None:
        return ""
    place = ".".join(str(step) for step in error.absolute_path)
    return f"{place}: {error.message}" if place else error.message
