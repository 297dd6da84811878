"""A conversion that ends early leaves the old file or nothing; one that runs holds little in memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from adapters import Spelling, places_of, tensors, write
from lora_values import FLUX2, GROUPS, QKV, SPELLINGS, one_module

from albumkit.adapter import convert, find_size, open_adapter
from albumkit.errors import AdapterError

#: Converts and dies when so many tensors are written.
DEADLY = """
import os, signal, sys
from albumkit.adapter import convert

left = int(sys.argv[3])

def step(done, total):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

convert(sys.argv[1], sys.argv[2], "diffusers", force=True, progress=step)
"""
#: The command line, on a disk that takes 10,000 bytes of a file.
FULL = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
from albumkit.cli.main import run
run()
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of 31 modules, which become 39."""
    places = places_of(FLUX2, "bfl", GROUPS)
    return write(tmp_path / "source.safetensors", tensors(places, FLUX2, SPELLINGS["fal"], seed=1))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("tensors_written", [1, 40, 78])
def test_a_killed_conversion_leaves_the_old_file_or_nothing(source, there, tensors_written):
    out = source.with_name("out.safetensors")
    if there:
        out.write_bytes(b"old")
    call = [sys.executable, "-c", DEADLY, str(source), str(out), str(tensors_written)]
    assert subprocess.run(call, check=False).returncode == -signal.SIGKILL
    assert (out.read_bytes() == b"old") if there else not out.exists()
    convert(source, out, "diffusers", force=True)
    assert len(open_adapter(out).modules) == 39


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of that kind there")
def test_a_full_disk_is_said_and_nothing_is_left(source):
    call = [sys.executable, "-c", FULL, "convert", source.name, "out.safetensors", "--to", "comfy"]
    done = subprocess.run(call, cwd=source.parent, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "albumkit: out.safetensors could not be written: File too large.\n"
    assert os.listdir(source.parent) == [source.name]


def test_a_refusal_amid_writing_leaves_nothing(source):
    def shorten(done: int, total: int) -> None:
        os.truncate(source, 5000)

    with pytest.raises(AdapterError, match=r"it changed while it was read: \S+ is no longer there"):
        convert(source, source.with_name("out.safetensors"), "comfy", progress=shorten)
    assert os.listdir(source.parent) == [source.name]


def test_a_source_that_was_written_to_meanwhile_is_noticed(source):
    with pytest.raises(AdapterError, match=r"it changed while it was read\."):
        convert(
            source,
            source.with_name("out.safetensors"),
            "comfy",
            progress=lambda done, total: os.utime(source, (1, 1)),
        )
    assert os.listdir(source.parent) == [source.name]


@pytest.mark.parametrize(
    "spelling", [SPELLINGS["diffusers"], Spelling("lora_unet_", "bfl", "down/up", 0.5, flat=True)]
)
def test_memory_does_not_grow_with_the_file(spelling, tmp_path):
    size = find_size("flux2-klein-9b")
    places = [p for p in places_of(size, spelling.layout, ("blocks",)) if p.block == 0]
    source = write(tmp_path / "source.safetensors", tensors(places, size, spelling, rank=128, seed=1))
    assert source.stat().st_size > 40e6
    tracemalloc.start()
    convert(source, tmp_path / "out.safetensors", "comfy")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6e6


def test_a_link_keeps_leading_to_its_file(tmp_path):
    source = write(tmp_path / "source.safetensors", one_module(QKV, "fal"))
    (tmp_path / "real.safetensors").write_bytes(b"old")
    link = tmp_path / "link.safetensors"
    try:
        link.symlink_to("real.safetensors")
    except OSError:
        pytest.skip("links need a privilege here")
    convert(source, link, "comfy", force=True)
    assert link.is_symlink()
    assert open_adapter(tmp_path / "real.safetensors").scheme.id == "comfy"
