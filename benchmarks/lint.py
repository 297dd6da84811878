"""How long lint takes, and how much memory, beside what others take for the same files in the same call.

    python benchmarks/lint.py --work /tmp/albumkit-bench

makes the albums once (about 3 GB), makes a virtual environment for each peer, runs everything with the page
cache warm and prints one Markdown table. ``--without-peers`` skips the peers, ``--pictures 1000`` makes
it small. Whole processes are timed, as a user would: wall seconds and peak memory from the operating system.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PEERS = {"caption-audit": "caption-audit==1.3.0", "lora-audit": "lora-audit==0.1.0"}
TOML = """[album]
kind = "subject"
trigger_phrase = "TOK"
class_phrase = "cat figurine"
[use]
runtime = ["comfy"]
[train]
output_lora_format = "comfy"
"""


THINGS = """man woman child dog bird bottle cup hat scarf coat umbrella lamp book newspaper plate fork pear
chain rope wheel ladder bucket spade brush canvas violin drum kettle clock""".split()
#: "_" stands for a blank.
PLACES = """on_a_shelf in_the_grass on_a_table at_the_beach in_the_snow on_a_bench on_the_stairs
in_a_garden by_a_river on_a_balcony under_a_tree in_a_doorway on_a_carpet on_a_roof in_a_boat
on_a_bridge in_a_barn by_a_lake on_a_bed in_a_kitchen on_the_pavement behind_a_fence on_a_rock""".split()
LIGHTS = """soft_window_light harsh_noon_sun warm_lamp_light overcast blue_evening_light candle_light
backlit dim_light flash golden_hour fog moonlight neon dappled_shade firelight studio_light
rain dawn dusk""".split()
FRAMINGS = ("close-up", "wide shot", "low angle", "from above", "in profile", "from behind", "eye level")
#: The least that anyone can do who wants to know whether every pixel is there.
DECODE = """
import sys; from concurrent.futures import ThreadPoolExecutor; from pathlib import Path; from PIL import Image
import pi_heif; pi_heif.register_heif_opener()
with ThreadPoolExecutor(2) as pool:
    list(pool.map(lambda p: Image.open(p).load(), [p for p in Path(sys.argv[1]).iterdir() if "IMG" in p.name
        and p.suffix in (".jpg", ".heic")]))
"""


@dataclass(frozen=True)
class Timing:
    seconds: float
    megabytes: float


def timed(command: list[str], env: dict[str, str], runs: int) -> Timing:
    """Median wall time and largest peak memory of whole runs. A linter's exit code 1 is an answer."""
    walls, peaks = [], []
    for _ in range(runs):
        start = time.perf_counter()
        child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        walls.append(time.perf_counter() - start)
        peaks.append(usage.ru_maxrss / 1024)
        if child.returncode not in (0, 1):
            raise SystemExit(f"{' '.join(command)}: exit code {child.returncode}")
    return Timing(sorted(walls)[len(walls) // 2], max(peaks))


def draw(task: tuple[str, int, int]) -> None:
    """One picture with a photograph's detail, different for each number, as JPEG of about 250 KB."""
    path, number, side = task
    random.seed(number)
    noise = Image.effect_noise((160, 160), 80).resize((side, side), Image.Resampling.BICUBIC)
    ramp = Image.linear_gradient("L").resize((side, side)).rotate(number % 4 * 90)
    picture = Image.merge("RGB", (noise, ramp, Image.blend(noise, ramp, 0.5)))
    picture.save(path, "JPEG", quality=random.randrange(85, 95))


def album(folder: Path, count: int, side: int = 1024, first: int = 0) -> Path:
    """``count`` captioned pictures with settings, made once."""
    if (folder / "album.toml").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(f"{folder}/IMG_{n:05}.jpg", first + n, side) for n in range(count)]
    with ProcessPoolExecutor() as pool:
        list(pool.map(draw, tasks, chunksize=20))
    for n in range(count):
        # Lists of coprime lengths: no two of 88,711 captions name the same.
        scene = f"{THINGS[n % 29]} {PLACES[n % 23]}, {LIGHTS[n % 19]}, {FRAMINGS[n % 7]}"
        caption = f"a photo of TOK cat figurine beside a {scene}\n".replace("_", " ")
        (folder / f"IMG_{n:05}.txt").write_text(caption)
    (folder / "album.toml").write_text(TOML)
    return folder


def phone_album(folder: Path, python: Path) -> Path:
    """30 photographs of 12 megapixels, every other one HEIC (encoded by a package in a venv of its own)."""
    if (folder / "album.toml").is_file():
        return folder
    frames = sorted((ROOT / "sample_albums" / "cookie_box").glob("*.jpg"))
    folder.mkdir(parents=True, exist_ok=True)
    code = (
        "import sys; from PIL import Image; import pillow_heif; pillow_heif.register_heif_opener()\n"
        "for n in range(30):\n"
        "    im = Image.open(sys.argv[2 + n % (len(sys.argv) - 2)]).resize((4032, 3024))\n"
        "    im = Image.blend(im, Image.effect_noise(im.size, 30).convert('RGB'), 0.08)\n"
        '    im.save(f\'{sys.argv[1]}/IMG_{n:04}.{("jpg", "heic")[n % 2]}\', quality=88)\n'
    )
    subprocess.run([str(python), "-c", code, str(folder), *map(str, frames)], check=True)
    for n in range(30):
        (folder / f"IMG_{n:04}.txt").write_text(f"a photo of TOK cookie box, view {n}\n")
    (folder / "album.toml").write_text(TOML.replace("cat figurine", "cookie box"))
    return folder


def environment(folder: Path, requirement: str) -> Path:
    """The scripts folder of a virtual environment with one package."""
    bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
    if not folder.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([str(bin_folder / "python"), "-m", "pip", "install", "-q", requirement], check=True)
    return bin_folder


def repository(folder: Path) -> Path:
    """A git repository of 60 albums of 30 pictures, all tracked."""
    if not (folder / ".git").exists():
        shutil.rmtree(folder, ignore_errors=True)
        for n in range(60):
            album(folder / f"album_{n:02}", 30, side=1024, first=100_000 + 30 * n)
        git = ["git", "-C", str(folder), "-c", "user.name=b", "-c", "user.email=b@example.org"]
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-qm", "albums"], check=True)
    return folder


def rows(work: Path, pictures: int, peers: bool) -> list[tuple[str, Timing, str]]:
    """(what, timing, bound or ratio) for every row of the table."""
    ours = [sys.executable, "-c", "from albumkit.cli.main import run; run()"]
    cache = Path(tempfile.mkdtemp(prefix="albumkit-cache-"))
    env = {**os.environ, "ALBUMKIT_CACHE_DIR": str(cache)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has its bytecode beside it
    big = album(work / f"jpeg_{pictures}", pictures)
    for file in big.iterdir():  # page cache warm
        file.read_bytes()
    header = [*ours, "lint", str(big), "--cost", "header"]

    def empty(command: list[str]) -> Timing:
        timings = []
        for _ in range(3):
            shutil.rmtree(cache, ignore_errors=True)
            timings.append(timed(command, env, 1))
        return sorted(timings, key=lambda t: t.seconds)[1]

    cold = empty(header)
    warm = timed(header, env, 5)
    table = [
        ("`albumkit --help`", timed([*ours, "--help"], env, 9), "<= 0.25 s"),
        (f"lint --cost header, {pictures} JPEGs, empty cache", cold, "<= 4 s, 300 MB"),
        (f"lint --cost header, {pictures} JPEGs, filled cache", warm, "<= 1.5 s"),
    ]
    if peers:
        for name, requirement in PEERS.items():
            script = str(environment(work / f"venv-{name}", requirement) / name)
            # lora-audit writes its page into the folder it is given unless told otherwise.
            args = (
                [str(big)] if name == "caption-audit" else ["scan", str(big), "-o", str(work / "page.html")]
            )
            peer = timed([script, *args], env, 1)
            ratio = f"albumkit, empty cache: {peer.seconds / cold.seconds:.1f} times as fast"
            table.append((f"{requirement}, the same files", peer, ratio))
        python = environment(work / "venv-heif", "pillow-heif") / "python"
        phone = phone_album(work / "phone", python)
        command = [*ours, "lint", str(phone)]
        plain = timed([sys.executable, "-c", DECODE, str(phone)], env, 3)
        mine = empty(command)
        ratio = f"{mine.seconds / plain.seconds:.2f} times plain decoding"
        table.append(("plain Pillow decode of 30 photographs of 12 MP, half HEIC, 2 threads", plain, ""))
        table.append(("lint of the same, empty cache", mine, ratio))
        table.append(("lint of the same, filled cache", timed(command, env, 3), ""))
    albums = repository(work / "repository")
    hook = [*ours, "lint", "--tracked", "--cost", "header", str(albums)]
    empty(hook)
    table.append(("the hook, 60 albums of 30, filled cache", timed(hook, env, 5), "<= 1.5 s"))
    shutil.rmtree(cache, ignore_errors=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--without-peers", action="store_true")
    options = parser.parse_args()
    table = rows(options.work, options.pictures, not options.without_peers)
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, Pillow {Image.__version__}\n")
    print("| what | wall | peak memory | bound or ratio |\n|---|---:|---:|---|")
    for what, timing, note in table:
        print(f"| {what} | {timing.seconds:.2f} s | {timing.megabytes:.0f} MB | {note} |")


if __name__ == "__main__":
    main()
