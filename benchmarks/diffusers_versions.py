"""Whether predictions for older versions of diffusers are right: their own tests, with that version.

    python benchmarks/diffusers_versions.py --work /tmp/albumkit-diffusers

fetches each version's wheel by pip, puts it before the installed one, and runs
tests/test_adapter_diffusers.py, which predicts for the version that it finds. Torch and peft are those that
are installed. One Markdown table is printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("0.37.0", "0.37.1", "0.38.0", "0.39.0", "0.40.0", "0.41.0", "0.42.1")
TESTS = "tests/test_adapter_diffusers.py"


def unpacked(work: Path, version: str) -> Path:
    """The folder that holds this version's package."""
    folder = work / version
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(work)]
        subprocess.run([*pip, f"diffusers=={version}"], check=True, stderr=subprocess.DEVNULL)
        (wheel,) = work.glob(f"diffusers-{version}-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("versions", nargs="*", default=VERSIONS)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    print("| diffusers | files loaded as predicted |\n|---|---|")
    for version in options.versions:
        env = {**os.environ, "PYTHONPATH": str(unpacked(options.work, version)), "HF_HUB_OFFLINE": "1"}
        call = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", TESTS]
        done = subprocess.run(call, cwd=ROOT, env=env, capture_output=True, text=True)
        summary = done.stdout.strip().splitlines()[-1].partition(" in ")[0]
        print(f"| {version} | {summary} |", flush=True)


if __name__ == "__main__":
    main()
