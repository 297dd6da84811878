"""Facts of one training: how often each example is looked at, how far each step goes, at which size, on which
base, and what will show whether it worked.
"""

from __future__ import annotations

from typing import Any

from albumkit.album import Album
from albumkit.bases import Base, all_bases, base_of_family, find_base
from albumkit.facts import settings as _settings  # noqa: F401 - registered first
from albumkit.facts.registry import NotApplicable, Unmeasured, fact
from albumkit.phrases import find_phrase
from albumkit.settings import Settings, Value
from albumkit.trainer import Trainer


@fact("settings")
def training_side(settings: Settings, trainer: Trainer) -> int:
    """Side in pixels of the square whose area the trainer trains at; where nobody set it, it is no more than
    that of the base's own pictures.
    """
    size = trainer.training_resolution
    if size is None:
        raise Unmeasured("the training resolution of this trainer is not known")
    value = settings.value(size.knob) if size.knob else size.pixels
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise Unmeasured(f"{size.knob} is not a number of pixels")
    base = _base(settings, trainer) if "base" in trainer.knobs else None
    own = base.picture_side if base and size.knob and not settings.knobs[size.knob].is_set else None
    return min(value, own) if own else value


@fact("settings")
def assumed(trainer: Trainer) -> str:
    """The words (assumed) where nobody publishes the training resolution, else nothing."""
    size = trainer.training_resolution
    return " (assumed)" if size and size.assumed else ""


# How often each example is looked at


@fact("settings")
def training_steps(settings: Settings) -> int:
    """Steps of the training; not applicable while the value is none that the trainer could take."""
    steps = _number(settings, "steps")
    if steps is None or steps < 1:
        raise NotApplicable("steps is not set, or no number")
    return int(steps)


@fact("settings")
def examples_per_step(settings: Settings, trainer: Trainer) -> int:
    """How many examples one step learns from."""
    step = trainer.examples_per_step
    if step is None:
        raise Unmeasured("no source says how many examples this trainer looks at in a step")
    count = step.count or 1
    for knob in step.knobs:
        factor = _number(settings, knob)
        if factor is None or factor < 1:
            raise NotApplicable(f"{knob} is no number")
        count *= int(factor)
    return count


@fact("settings")
def passes(training_steps: int, examples_per_step: int, example_count: int) -> int:
    """How often each example is looked at in the whole training: steps x examples a step / examples."""
    if not example_count:
        raise NotApplicable("empty")
    return round(training_steps * examples_per_step / example_count)


@fact("settings")
def step_assumed(trainer: Trainer) -> str:
    """The words (one a step assumed) where nobody publishes how many examples a step looks at."""
    step = trainer.examples_per_step
    return f" ({step.count} a step assumed)" if step and step.assumed else ""


# How far each step goes


@fact("settings")
def steps_factor(training_steps: int, trainer: Trainer) -> float:
    """Steps as a multiple of the trainer's default."""
    return _short(training_steps / _default(trainer, "steps"))


@fact("settings")
def rate_factor(settings: Settings, trainer: Trainer) -> float:
    """Learning rate as a multiple of the trainer's default."""
    return _short(_rate(settings) / _default(trainer, "learning_rate"))


@fact("settings")
def raised_together(steps_factor: float, rate_factor: float) -> float:
    """The smaller of the two multiples: both steps and rate stand at least this far above their defaults."""
    return min(steps_factor, rate_factor)


@fact("settings")
def effective_rate(settings: Settings, trainer: Trainer) -> float:
    """learning_rate x alpha / rank where the trainer has those knobs (alpha left out is rank), else the
    learning rate alone. To first order the size of a step that the LoRA makes.
    """
    rate = _rate(settings)
    if "alpha" not in trainer.knobs:
        return _short(rate)
    rank = _number(settings, "rank")
    alpha = _number(settings, "alpha") if "alpha" in settings.knobs else rank
    if not rank or rank < 0 or not alpha or alpha < 0:
        raise NotApplicable("rank or alpha is no number")
    return max(_short(rate * alpha / rank), 1e-30)


@fact("settings")
def effective_rate_name(trainer: Trainer) -> str:
    """What the effective rate is calculated from, for messages."""
    return "learning_rate x alpha / rank" if "alpha" in trainer.knobs else "learning_rate"


@fact("settings")
def times_below_default(effective_rate: float, settings: Settings, trainer: Trainer) -> float:
    """How many times the effective rate is smaller than with the trainer's defaults; below 1 it is larger.

    A rank of its own, where alpha is not ours to set, moves the rate in a way that nobody publishes.
    """
    if "alpha" not in trainer.knobs and (rank := settings.knobs.get("rank")) and rank.is_set:
        raise Unmeasured("this trainer does not say which alpha goes with a rank")
    return _short(_default(trainer, "learning_rate") / effective_rate)


@fact("knob")
def rank_per_example(name: str, setting: Value, example_count: int) -> float:
    """The rank that somebody set, divided by the number of examples; not applicable to other knobs."""
    rank = _plain_number(setting.value)
    if name != "rank" or rank is None or rank < 1 or not example_count:
        raise NotApplicable("no rank, or no examples")
    return _short(rank / example_count)


# Masks


@fact("settings")
def masking(settings: Settings, album: Album) -> str:
    """What makes the training look at masks, in words; "" when nothing does."""
    if settings.value("create_masks") is True:
        return "create_masks is true"
    count = sum(example.mask is not None for example in album.examples)
    if count and settings.trainer.archive.masks:
        return f"the album holds {count} mask{'s' if count != 1 else ''}"
    return ""


@fact("settings")
def masking_of_style(masking: str, settings: Settings) -> str:
    """As masking, for an album of a style; not applicable to other kinds."""
    if settings.kind != "style":
        raise NotApplicable("no style")
    return masking


@fact("settings")
def masking_of_subject(masking: str, settings: Settings) -> str:
    """As masking, for an album of a subject; not applicable to other kinds."""
    if settings.kind != "subject":
        raise NotApplicable("no subject")
    return masking


# At which size


@fact("settings")
def use_side(settings: Settings, trainer: Trainer) -> int:
    """Side in pixels of the square whose area the pictures made with the LoRA will have: [use] resolution,
    else what the base makes when nobody says.
    """
    if settings.use_resolution is not None:
        return settings.use_resolution
    base = _base(settings, trainer)
    if base is None or base.picture_side is None:
        raise NotApplicable("nobody says at which size it will be used")
    return base.picture_side


@fact("settings")
def use_side_origin(settings: Settings) -> str:
    """Who says the size of use, in words for messages."""
    return "[use] resolution" if settings.use_resolution is not None else "what this base makes by default"


@fact("settings")
def use_enlargement(use_side: int, training_side: int) -> float:
    """Side of the pictures that will be made, as a multiple of the side trained at."""
    return round(use_side / training_side, 2)


# What will show whether it worked


@fact("settings")
def validation_prompts(settings: Settings, trainer: Trainer) -> tuple[str, ...]:
    """The test prompts that are set; not applicable where the trainer takes none."""
    if "validation" not in trainer.knobs:
        raise NotApplicable("no test prompts here")
    rows = settings.value("validation")
    prompts = [row.get("prompt") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(p for p in prompts if isinstance(p, str) and p.strip())


@fact("settings")
def validation_count(validation_prompts: tuple[str, ...], settings: Settings) -> int:
    """How many test prompts are set; not applicable while nobody has decided anything about the training."""
    decided = any(value.is_set for value in (*settings.knobs.values(), *settings.unknown.values()))
    if not decided and settings.trainer_origin not in ("album.toml", "command line"):
        raise NotApplicable("nobody has planned a training yet")
    return len(validation_prompts)


@fact("settings")
def validation_prompt(validation_prompts: tuple[str, ...]) -> str:
    """The first test prompt, for messages (at most 60 characters)."""
    if not validation_prompts:
        raise NotApplicable("no test prompts")
    first = " ".join(validation_prompts[0].split())
    return first if len(first) <= 60 else first[:57].rstrip() + "..."


@fact("settings")
def validation_prompts_with_trigger(validation_prompts: tuple[str, ...], trigger: str) -> int:
    """Test prompts in which the trigger stands; not applicable without test prompts."""
    if not validation_prompts:
        raise NotApplicable("no test prompts")
    return sum(find_phrase(trigger, prompt) is not None for prompt in validation_prompts)


# On which base


@fact("settings")
def base_name(settings: Settings, trainer: Trainer) -> str:
    """The base that somebody named; not applicable where the trainer brings its own, or none is named."""
    name = settings.value("base") if "base" in trainer.knobs else None
    if not isinstance(name, str) or not name.strip():
        raise NotApplicable("no base is named")
    return name


@fact("settings")
def base_distilled(base_name: str) -> bool:
    """Whether the named base is one that was distilled to need a few steps only."""
    base = find_base(base_name)
    if base is None:
        raise Unmeasured(f"whether {base_name} is a distilled model is not known here")
    return base.distilled


@fact("settings")
def base_to_train_on(base_name: str) -> str:
    """The base from which the named one was distilled, as the hub calls it; words when not known."""
    base = find_base(base_name)
    before = next((b for b in all_bases() if base and b.id == base.train_on), None)
    return (before.hub or before.title) if before else "the model that it was distilled from"


@fact("settings")
def base_for_sale(settings: Settings, trainer: Trainer) -> Base:
    """The base of a training for money; not applicable unless album.toml says commercial = true."""
    if not settings.commercial:
        raise NotApplicable("not for money, as far as anybody says")
    base = _base(settings, trainer)
    if base is None or base.licence is None:
        raise Unmeasured("the licence of this base is not known here")
    return base


@fact("settings")
def base_title(base_for_sale: Base) -> str:
    """What the base is called."""
    return base_for_sale.title


@fact("settings")
def base_licence(base_for_sale: Base) -> str:
    """The licence of the base."""
    return base_for_sale.licence or ""


@fact("settings")
def base_commercial_use(base_for_sale: Base) -> str:
    """Whether the licence lets everybody make money with what is trained on the base: yes, no or conditions
    (by revenue, country or kind of use).
    """
    if base_for_sale.commercial is None:
        raise Unmeasured("the licence of this base is not known here")
    return base_for_sale.commercial


def _base(settings: Settings, trainer: Trainer) -> Base | None:
    """The base that is named, else the one that the trainer stands for."""
    named = settings.value("base") if "base" in trainer.knobs else None
    return find_base(named) if isinstance(named, str) else base_of_family(trainer.family)


def _number(settings: Settings, name: str) -> float | None:
    """A knob's value when it is a plain number (or one in quotes, which some trainers take for rank)."""
    return _plain_number(settings.value(name))


def _plain_number(value: Any) -> float | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 18:
        return float(value)
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18
    return float(value) if usable else None


def _rate(settings: Settings) -> float:
    rate = _number(settings, "learning_rate")
    if rate is None or rate < 1e-18:
        raise NotApplicable("learning_rate is not set, or no number above 0")
    return rate


def _default(trainer: Trainer, name: str) -> float:
    knob = trainer.knobs.get(name)
    default = _plain_number(knob.default) if knob and knob.has_default else None
    if not default or default < 0:
        raise NotApplicable(f"{name} has no default here")
    return default


def _short(value: float) -> float:
    """Two significant digits, as messages show it."""
    return float(f"{value:.2g}")
