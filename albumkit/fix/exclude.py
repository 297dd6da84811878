"""``exclude``: examples left out by album.toml. Their files stay where they are."""

from __future__ import annotations

from collections.abc import Sequence

from albumkit.album import Example
from albumkit.album.find import CONFIG_NAME
from albumkit.album.names import Excluder
from albumkit.fix.captions import changed_lines
from albumkit.fix.draft import Cannot, Draft, files_of
from albumkit.fix.references import escaped
from albumkit.tomledit import NotEditable, extend_list

NAME = "exclude"


def plan(draft: Draft, paths: Sequence[str]) -> None:
    """Each example with all of its files: a caption left behind would belong to nobody."""
    globs: list[str] = []
    for example in draft.examples(paths):
        globs += _globs(draft, example)
    if not globs:
        return
    config = draft.opened.config
    with draft.refusing(NAME, CONFIG_NAME):
        try:
            before, after = draft.edit_config(
                lambda text: extend_list(text, ("album", "exclude"), globs, config.album.exclude)
            )
        except NotEditable as error:
            listed = ", ".join(f'"{glob}"' for glob in globs)
            raise Cannot(f"{error}: exclude = [{listed}]") from error
        for example in draft.examples(paths):
            draft.note(NAME, example.path, "left out of every command; its files stay")
        draft.note(NAME, CONFIG_NAME, "exclude", *changed_lines(before, after))


def _globs(draft: Draft, example: Example) -> list[str]:
    """``./ROOT.*`` where it takes this example and nothing else, else its files one by one, without those
    that another example needs too.
    """
    others = {path for other in draft.album.examples if other is not example for path in files_of(other)}
    own = [draft.now(path) for path in dict.fromkeys(files_of(example)) if path not in others]
    shared = {draft.now(path) for path in draft.album.entries} - set(own)
    glob = escaped(example_root(draft, example)) + ".*"
    covers = Excluder([glob])
    if sum(map(covers, own)) > 1 and not any(map(covers, shared)):
        return [glob, *(escaped(path) for path in own if not covers(path))]
    return [escaped(path) for path in own]


def example_root(draft: Draft, example: Example) -> str:
    """The ROOT of an example as it will be called."""
    return draft.now(example.path).rpartition(".")[0]
