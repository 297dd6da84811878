"""The formats of lint for other programs, and text by file.

Refresh the golden outputs with: UPDATE_GOLDEN=1 pytest tests/test_formats.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import unquote

import jsonschema
import pytest
from albums import good_album, picture, set_in
from sixty import sixty_albums

from albumkit.errors import AlbumkitError
from albumkit.facts import FactCache
from albumkit.lint import Finding
from albumkit.report import github, links, sarif
from albumkit.report.formats import FORMATS, by_ending, render
from albumkit.report.gitlab import gitlab_issues
from albumkit.report.places import placed
from albumkit.report.sarif import sarif_document
from albumkit.rule import SEVERITIES
from albumkit.workflows import LintReport, lint_paths

SAMPLES = Path(__file__).parent.parent / "sample_albums"
GOLDEN = Path(__file__).parent / "golden"
SCHEMA = json.loads((Path(__file__).parent / "data" / "sarif-schema-2.1.0.json").read_bytes())


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good album called cat, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return good_album(tmp_path / "cat")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures are measured once, by content, for all tests that ask for the same albums."""
    return tmp_path_factory.mktemp("cache") / "facts.sqlite"


@pytest.fixture
def messy(cache: Path, monkeypatch: pytest.MonkeyPatch) -> LintReport:
    """The four albums of messy, in the working folder."""
    monkeypatch.chdir(SAMPLES)
    return lint_paths([Path("messy")], cache=FactCache(cache), keep=True)


@pytest.fixture
def tumbler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> LintReport:
    """The one of them with most faults."""
    monkeypatch.chdir(SAMPLES)
    return lint_paths([Path("messy/tumbler")], cache=FactCache(cache), keep=True)


def findings_of(report: LintReport) -> list[Finding]:
    return [finding for album in report.albums for finding in album.findings]


@pytest.fixture(scope="module")
def sixty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sixty_albums(tmp_path_factory.mktemp("sixty") / "albums")


@pytest.fixture
def sixty(sixty_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> LintReport:
    monkeypatch.chdir(sixty_folder)
    return lint_paths([Path()], cache=FactCache(cache), keep=True)


def check(*paths: str, **options) -> LintReport:
    return lint_paths([Path(path) for path in paths], cache=FactCache.none(), keep=True, **options)


def valid_run(report: LintReport, **options) -> dict:
    """The one run of a SARIF log that keeps to the official schema, and to what errata 01 adds to it."""
    document = json.loads(json.dumps(sarif_document(report, **options)))
    jsonschema.Draft7Validator(SCHEMA).validate(document)
    (run,) = document["runs"]
    for region in re.findall(r'"region": (\{.*?\})', json.dumps(run)):
        assert json.loads(region)["startLine"] >= 1
    return run


def uris(run: dict) -> list[str]:
    return [r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]]


@pytest.mark.parametrize(
    ("which", "style", "name"),
    [
        ("messy", "json", "lint_messy.json"),
        ("messy", "sarif", "lint_messy.sarif"),
        ("sixty", "text", "lint_sixty.txt"),
        ("sixty", "json", "lint_sixty.json"),
        ("sixty", "sarif", "lint_sixty.sarif"),
    ],
)
def test_golden_outputs(which, style, name, request, monkeypatch):
    urls = {"homepage": "https://example.org/albumkit", "documentation": "https://example.org/albumkit/docs"}
    monkeypatch.setattr(links, "_urls", lambda: urls)
    text = "".join(render(style, request.getfixturevalue(which)))
    text = re.sub(r"\d+\.\d s$", "0.0 s", text, flags=re.MULTILINE)
    text = re.sub(r'("(?:semanticV|v)ersion": )"\d+\.\d+\.\d+[^"]*"(?!,\n  "runs")', r'\1"0.0.0"', text)
    golden = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text, encoding="utf-8", newline="\n")
    assert text == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("style", list(FORMATS))
def test_every_format_renders_every_kind_of_album(style, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.zip").write_bytes(b"PK nothing")
    shutil.copytree(SAMPLES / "messy", tmp_path / "messy")
    shutil.make_archive(str(tmp_path / "packed"), "zip", SAMPLES / "messy")
    report = check("empty", "broken.zip", "messy", "packed.zip", cost="header")
    text = "".join(render(style, report))
    assert "broken.zip" in text
    assert "packed.zip" in text or style == "github"  # which shows ten errors
    assert text.endswith("\n")


def test_the_ending_of_a_file_names_its_format():
    names = ["a.html", "b.SARIF", "c.json", "d.xml", "e.txt", "f.csv", "html"]
    assert [by_ending(name) for name in names] == ["html", "sarif", "json", "junit", "text", None, None]


def test_sarif_keeps_to_the_schema_and_to_github(messy, monkeypatch):
    urls = {"homepage": "https://example.org/albumkit", "documentation": "https://example.org/albumkit/docs/"}
    monkeypatch.setattr(links, "_urls", lambda: urls)
    run = valid_run(messy)
    driver = run["tool"]["driver"]
    for result in run["results"]:
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["helpUri"] == f"https://example.org/albumkit/docs/rules/{rule['id']}.md"
        assert (len(rule["fullDescription"]["text"]), len(result["message"]["text"])) <= (1024, 1024)
        assert rule["help"]["markdown"].startswith(f"# {rule['id']}\n")
        (location,) = result["locations"]
        assert Path(unquote(location["physicalLocation"]["artifactLocation"]["uri"])).exists()
        assert "suppressions" not in result
    levels = [SEVERITIES.index(result["level"]) for result in run["results"]]
    assert levels == sorted(levels)  # GitHub keeps the first 5,000
    by_rule = {result["ruleId"]: result for result in run["results"]}
    region = by_rule["settings/not-a-multiple"]["locations"][0]["physicalLocation"]["region"]
    lines = (SAMPLES / "messy" / "tumbler" / "album.toml").read_text().splitlines()
    assert lines[region["startLine"] - 1].startswith("steps")
    twice = by_rule["example/exact-duplicate"]
    (other,) = twice["relatedLocations"]
    assert other["physicalLocation"]["artifactLocation"]["uri"] == "messy/tumbler/tumbler_04.jpg"
    assert twice["message"]["text"] == "tumbler_04_copy.jpg: the same bytes as tumbler_04.jpg."


def test_sarif_without_a_known_home_guesses_none(messy, monkeypatch):
    monkeypatch.setattr(links, "_urls", dict)
    assert "Uri" not in json.dumps(valid_run(messy)["tool"])


def test_sarif_tells_alerts_apart_by_the_fault(messy):
    run = valid_run(messy)
    known = {finding.fingerprint for album in messy.albums for finding in album.findings}
    assert {r["partialFingerprints"]["albumkitFinding/v1"] for r in run["results"]} == known
    for result in run["results"]:
        in_text = "region" in result["locations"][0]["physicalLocation"]
        assert ("primaryLocationLineHash" in result["partialFingerprints"]) is not in_text


def test_sarif_suppresses_what_is_ignored_and_says_so_of_every_result(album):
    (album / "IMG_05.txt").unlink()
    (album / "IMG_06.txt").unlink()
    with (album / "album.toml").open("a") as file:
        file.write('[[lint.ignore]]\nrule = "caption/missing"\npaths = ["IMG_05.*"]\nreason = "later"\n')
    run = valid_run(check("cat"))
    assert [(u, r["suppressions"]) for u, r in zip(uris(run), run["results"], strict=True)] == [
        ("cat/IMG_06.jpg", []),
        ("cat/IMG_05.jpg", [{"kind": "external", "status": "accepted", "justification": "later"}]),
    ]


def test_sarif_notifies_of_rules_not_judged(album):
    set_in(album, 'runtime = ["comfy"]', "runtime = []")
    run = valid_run(check("cat", cost="header"))
    notes = run["invocations"][0]["toolExecutionNotifications"]
    name = "settings/format-for-another-runtime"
    (skipped,) = [n for n in notes if n.get("associatedRule", {}).get("id") == name]
    assert run["tool"]["driver"]["rules"][skipped["associatedRule"]["index"]]["id"] == name
    assert skipped["level"] == "warning"
    assert "not judged" in skipped["message"]["text"]
    assert re.search("--cost left out .*example/truncated", notes[-1]["message"]["text"])


def test_sarif_takes_the_worst_when_there_are_too_many(messy, monkeypatch):
    monkeypatch.setattr(sarif, "MOST_RESULTS", 3)
    run = valid_run(messy)
    assert [r["level"] for r in run["results"]] == ["error"] * 3
    note = run["invocations"][0]["toolExecutionNotifications"][-1]
    total = len(findings_of(messy))
    assert note["message"]["text"].startswith(f"{total - 3} more findings are left out")


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_names_are_encoded_as_uris(album):
    (album / "IMG_05.jpg").rename(album / "ä b#1%2.jpg")
    (album / "IMG_06.txt").rename(album.parent / "away")
    (album / "IMG_06.jpg").rename(album / "line\nbreak\x1b.jpg")
    report = check("cat")
    run = valid_run(report)
    assert set(uris(run)) >= {"cat/%C3%A4%20b%231%252.jpg", "cat/line%0Abreak%1B.jpg"}
    assert "\x1b" not in "".join(r["message"]["text"] for r in run["results"])


def test_albums_elsewhere_have_absolute_uris(album, monkeypatch):
    (album / "IMG_05.txt").unlink()
    elsewhere = album.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (uri,) = uris(valid_run(check("../cat")))
    assert uri.startswith("file:///")
    assert uri.endswith("/cat/IMG_05.jpg")
    monkeypatch.chdir(album)
    assert uris(valid_run(check("."))) == ["IMG_05.jpg"]


def test_a_finding_in_a_zip_is_at_the_zip(album):
    (album / "IMG_05.txt").unlink()
    shutil.make_archive("packed", "zip", album)
    (result,) = valid_run(check("packed.zip"))["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"]["uri"] == "packed.zip"
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "packed.zip!IMG_05.jpg"


def test_faults_of_captions_are_where_they_are_mended(album):
    (album / "IMG_05.txt").write_text("a photo of a ceramic cat in the sun")
    (album / "IMG_06.txt").unlink()
    lines = [{"file_name": "IMG_04.jpg", "text": "another"}, {"file_name": "IMG_06.jpg", "text": "a cat"}]
    (album / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = [p for p in placed(check("cat")) if p.finding.rule == "caption/trigger-absent"]
    places = {p.finding.path: (p.place.file, p.place.line) for p in found}
    assert places["IMG_05.jpg"] == ("cat/IMG_05.txt", None)
    assert places["IMG_06.jpg"] == ("cat/metadata.jsonl", 2)


def test_albums_of_one_name_do_not_share_fingerprints(album):
    (album / "IMG_05.txt").unlink()
    one = [p.fingerprint for p in placed(check("cat"))]
    shutil.copytree(album, album.parent / "old" / "cat")
    both = [p.fingerprint for p in placed(check("cat", "old/cat"))]
    assert len({*one, *both}) == 3
    assert both == [p.fingerprint for p in placed(check("cat", "old/cat"))]


def unescaped(line: str) -> tuple[dict[str, str], str]:
    """A workflow command as GitHub's runner reads it."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match
    turn = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")]

    def back(text: str) -> str:
        for code, letter in turn:
            text = text.replace(code, letter)
        return text

    properties = dict(part.split("=", 1) for part in match[2].split(","))
    return {"command": match[1], **{k: back(v) for k, v in properties.items()}}, back(match[3])


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_github_annotations_survive_any_name(album):
    (album / "IMG_05.jpg").rename(album / "a,b::error 100%\n::stop-commands::x.jpg")
    lines = "".join(render("github", check("cat"))).splitlines()
    assert [line[:2] == "::" for line in lines] == [True, True, False]
    assert unescaped(lines[1])[0]["title"] == "album/orphan-caption"  # IMG_05.txt
    properties, text = unescaped(lines[0])
    assert properties == {
        "command": "error",
        "file": "cat/a,b::error 100%\n::stop-commands::x.jpg",
        "line": "1",
        "title": "caption/missing",
    }
    assert "This trainer stops at a picture without caption" in text
    assert "\ndo: albumkit caption cat " in text
    assert "\nor: write " in text


def test_github_shows_ten_of_a_severity_and_so_do_we(sixty):
    lines = "".join(render("github", sixty)).splitlines()
    commands = [unescaped(line)[0]["command"] for line in lines[:-1]]
    assert {"error", "warning"} <= set(commands)
    assert max(map(commands.count, commands)) <= 10
    assert "\n".join(lines).count("5 times: album_01/IMG_03.jpg, album_21/IMG_03.jpg") == 1
    assert re.fullmatch(r"\d+ errors, \d+ warnings in 60 albums of 705 examples", lines[-1])


def test_github_names_the_rules_that_found_no_annotation(tumbler, monkeypatch):
    monkeypatch.setattr(github, "MOST_ANNOTATIONS", 3)
    errors = [line for line in render("github", tumbler) if line.startswith("::error ")]
    rules = list(dict.fromkeys(f.rule for f in findings_of(tumbler) if f.severity == "error"))
    assert len(errors) == 3
    assert errors[-1] == f"::error title={len(rules) - 2} more rules::{', '.join(rules[2:])}\n"


def test_github_summary_is_appended_as_a_table(messy, tmp_path):
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    github.write_summary(messy, {"GITHUB_STEP_SUMMARY": str(file)})
    text = file.read_text(encoding="utf-8")
    assert text.startswith("before\n## albumkit lint\n")
    rows = [line for line in text.splitlines() if line.startswith("| :")]
    assert len(rows) == sum(len({f.rule for f in album.findings}) for album in messy.albums)
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert 'exclude = \\["..."\\]' in text
    github.write_summary(messy, {})
    with pytest.raises(AlbumkitError, match="GITHUB_STEP_SUMMARY"):
        github.write_summary(messy, {"GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "such")})


def test_github_summary_stays_below_its_limit(tumbler):
    short = github.summary(tumbler, most=600)
    assert len(short.encode()) < 900
    assert re.search(r"\n\d+ more rows do not fit into a step summary\.\n", short)


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_github_summary_means_nothing_to_markdown(album):
    (album / "IMG_05.jpg").rename(album / "a|b`c`<img src=x>[d](e)*f.jpg")
    text = github.summary(check("cat"))
    assert r"cat/a\|b\`c\`&lt;img src=x&gt;\[d\](e)\*f.jpg" in text


def test_gitlab_has_an_issue_for_every_finding(sixty):
    issues = gitlab_issues(sixty)
    findings = [f for album in sixty.albums for f in album.findings]
    assert len(issues) == sum(f.ignored is None for f in findings) < len(findings)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    assert {"major", "minor"} <= {issue["severity"] for issue in issues} <= {"major", "minor", "info"}
    for issue in issues:
        assert list(issue) == ["description", "check_name", "fingerprint", "severity", "location"]
        assert Path(issue["location"]["path"]).exists()
        assert issue["location"]["lines"]["begin"] >= 1


def suites(report: LintReport, *, strict: bool = False) -> list[ET.Element]:
    root = ET.fromstring("".join(render("junit", report, strict=strict)))
    for element in (root, *root):
        for key, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
            assert int(element.get(key)) == len(list(element.iter(tag)))
    return list(root)


def test_junit_has_a_suite_an_album_and_a_case_a_rule(tumbler):
    (suite,) = suites(tumbler)
    (album,) = tumbler.albums
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == set(album.rules)
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert failed == {f.rule for f in album.findings if f.severity == "error"}
    assert "tumbler_10.jpg: tumbler_10.txt is latin-1" in cases["caption/not-utf8"].findtext("failure")
    assert "warning: tumbler_04_copy.jpg" in cases["example/exact-duplicate"].findtext("system-out")
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert (properties["trigger"], properties["examples"], properties["kind"]) == ("TOK", "21", "subject")
    (strict,) = suites(tumbler, strict=True)
    assert int(strict.get("failures")) == len({f.rule for f in album.findings})


def test_junit_skips_what_was_not_judged(album):
    set_in(album, 'runtime = ["comfy"]', "runtime = []")
    (suite,) = suites(check("cat", cost="header"))
    skipped = {c.get("name"): c.findtext("skipped") for c in suite.iter("testcase") if len(c)}
    assert skipped["example/truncated"] == "left out by --cost"
    assert "runtime" in skipped["settings/format-for-another-runtime"]


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_junit_is_xml_whatever_files_are_called(album):
    picture(album / "a\x01\x1b<&\"'\ufffe.jpg", 7)
    (suite,) = suites(check("cat"))
    (failure,) = suite.iter("failure")
    assert "a\\x01\\x1b<&\"'\\ufffe.jpg" in failure.text
