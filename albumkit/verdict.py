"""A LoRA file judged by the rules of scope adapter and module, as lint judges an album by all others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from albumkit.adapter import Adapter, Size
from albumkit.adapter.health import Health
from albumkit.adapter.predict import Prediction
from albumkit.facts import ADAPTER_SCOPES, NotApplicable, Table, Unmeasured
from albumkit.lint import AlbumResult, Finding, Skipped, fingerprint
from albumkit.rule import SEVERITIES, Remedy, Rule, load_rules


def judge(
    adapter: Adapter,
    predictions: Sequence[Prediction],
    health: Health | None,
    *,
    base: Size | None = None,
    rules: Sequence[Rule] | None = None,
) -> AlbumResult:
    """Judge one adapter.

    Args:
        adapter: Opened.
        predictions: One for each program that it shall be used in.
        health: Of its numbers; None when nobody looked, and rules about them are skipped.
        base: The model that it shall be used with, where somebody said which.
        rules: By default all shipped ones of the two scopes.

    Returns:
        What lint returns for an album, with the file in the album's place: every form of report takes it.
    """
    path = adapter.path.as_posix()
    result = AlbumResult(path, adapter.path.name, examples=len(adapter.modules), noun="modules")
    context = {"adapter": adapter, "predictions": predictions, "health": health, "base": base}
    top = Table("adapter", [path], {name: [value] for name, value in context.items()})
    looked_at = () if health is None else health.modules
    modules = Table("module", [one.module.name for one in looked_at], {"module": looked_at}, top)
    for rule in load_rules() if rules is None else rules:
        if rule.scope not in ADAPTER_SCOPES or rule.opt_in:
            continue
        table = top if rule.scope == "adapter" else modules
        if table is modules and health is None:
            result.left_out.append(rule.id)
            continue
        for row in range(len(table.paths)):
            _judge_one(rule, table, row, result)
        result.rules.append(rule.id)
    result.findings.sort(key=lambda found: (SEVERITIES.index(found.severity), found.rule))
    return result


def _judge_one(rule: Rule, table: Table, row: int, result: AlbumResult) -> None:
    try:
        facts = {name: table.cell(row, name) for name in rule.needs}
    except NotApplicable:
        return
    except Unmeasured as reason:
        result.skipped.append(Skipped(result.album, rule.id, rule.severity, result.album, str(reason)))
        return
    broken = rule.violation(facts)
    if broken is None:
        return
    words: dict[str, Any] = {name: table.cell(row, name) for name in rule.fields}
    name, value, limit = broken
    subject = table.paths[row] if rule.scope == "module" else ""
    result.findings.append(
        Finding(
            album=result.album,
            rule=rule.id,
            scope=rule.scope,
            severity=rule.severity,
            path=result.album,
            paths=(result.album,),
            line=None,
            fact=name,
            value=value,
            limit=limit,
            message=rule.message.format(**words),
            remedies=tuple(Remedy(r.do.format(**words), r.gives.format(**words)) for r in rule.remedies),
            fix=None,
            fingerprint=fingerprint([rule.id, result.name, subject]),
            subject=subject,
        )
    )
