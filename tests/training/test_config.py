from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tita_cli.errors import TrainingError
from tita_cli.training.config import read_config
from tita_cli.training.kinds import build_draw
from tita_cli.training.schedule import learning_rate

REPOSITORY = Path(__file__).parents[2]
DATA = '\n[[data]]\ntask = "ivf"\nkind = "pairs"\na = "vis"\nb = "ir"\n'
FULL = """
steps = 100
minutes = 2.5
crop = 64
batch = {ivf = 4}
seed = 3
famo = "next-batch"
ema = 0.99
precision = "fp32"
device = "cpu"
init = "start.safetensors"
data_root = "pictures"
[network]
name = "tita"
dim = 24
fuse = [2]
[losses]
recipe = "truth"
mff = {gate = 1.0}
[optimizer]
name = "adam"
lr = 2e-5
beta2 = 0.99
weight_decay = 0
clip = 0
[schedule]
kind = "constant"
warmup = 0
[checkpoint]
minutes = 1
keep = 0
[log]
every = 5
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_images_may_lie_elsewhere(tmp_path: Path) -> None:
    path = write(tmp_path, FULL + DATA)
    assert read_config(path).data_root == tmp_path / "pictures"
    config = read_config(path, data_root=tmp_path / "elsewhere")
    assert config.data_root == tmp_path / "elsewhere"
    assert all(
        str(folder).startswith(str(config.data_root))
        for entry in config.manifest.entries
        for folder in entry.folders.values()
    )


def test_everything_is_read(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, FULL + DATA))
    assert (config.steps, config.minutes, config.batch, config.famo) == (100, 2.5, {"ivf": 4}, "next-batch")
    assert (config.network.variant, config.network.dim, config.network.fuse) == ("tita", 24, (2,))
    assert (config.losses.recipe, config.losses.options) == ("truth", {"mff": {"gate": 1.0}})
    assert (config.optimizer.name, config.optimizer.lr, config.optimizer.clip) == ("adam", 2e-5, 0)
    assert (config.schedule.kind, config.checkpoint.keep, config.log.every) == ("constant", 0, 5)
    assert config.init == tmp_path / "start.safetensors"
    assert config.manifest.entries[0].folders["a"] == tmp_path / "pictures" / "vis"


def test_defaults_are_the_light_variant(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "steps = 1\n" + DATA))
    assert config.network.variant == "tita-lite"
    assert config.famo == "same-batch"
    assert config.manifest.entries[0].folders["a"] == tmp_path / "vis"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("stepps = 1", "stepps"),
        ("steps = 1\n[optimizer]\nrate = 1", "optimizer.rate"),
        ("steps = 1\n[network]\nname = 'tita'\nchannels = 3", "network.channels"),
        ("steps = 1\n[network]\nname = 'swin'", "swin"),
        ("steps = 1\n[network]\ndim = 50", "50 channels"),
        ("steps = 1\n[network]\ndim = 'wide'", "dim"),
        ("steps = 1\nnetwork = 3", "network"),
        ("steps = 1\nlosses = 3", "losses"),
        ("steps = 1\nlosses = {recipe = 1}", "losses.recipe"),
        ("steps = 1\nschedule = 3", "schedule"),
        ("steps = 1\nfamo = 'both'", "famo"),
        ("steps = 1.5", "steps"),
        ("steps = true", "steps"),
        ("steps = 1\nbatch = 0", "batch"),
        ("steps = 1\nbatch = {ivf = 0}", "batch"),
        ("steps = 1\ncrop = 'big'", "crop"),
        ("steps = 1\ninit = 3", "init"),
        ("steps = 1\n[optimizer]\nlr = -1.0", "optimizer.lr"),
        ("steps = 1\n[optimizer]\nlr = nan", "optimizer.lr"),
        ("steps = 1\nmanifest = 'x'", "manifest"),
        ("crop = 64", "length"),
        ("steps =", "TOML"),
    ],
)
def test_a_mistake_is_named_with_the_file(tmp_path: Path, text: str, named: str) -> None:
    path = write(tmp_path, text + DATA)
    with pytest.raises(TrainingError) as caught:
        read_config(path)
    assert str(path) in caught.value.message and named in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "path", sorted((*REPOSITORY.glob("weights/training/*.toml"), *REPOSITORY.glob("bench/gpu/*.toml")))
)
def test_the_repositorys_own_configurations(path: Path, tmp_path: Path) -> None:
    config = read_config(path, data_root=tmp_path)
    build_draw(config)
    assert config.manifest.tasks == ("ivf", "mef", "mff")
    assert config.teacher is None or config.teacher.exists()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.toml"):
        read_config(tmp_path / "none.toml")


def test_no_data(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="data"):
        read_config(write(tmp_path, "steps = 1"))


def test_cosine_rises_falls_and_ends_at_its_floor(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "steps = 1\n[schedule]\nwarmup = 10\nfinal = 0.1" + DATA))
    rates = [learning_rate(config.optimizer, config.schedule, step=i, progress=i / 100) for i in range(101)]
    assert rates[0] == pytest.approx(1e-4, rel=0.01)
    assert max(rates) == rates[9] or max(rates) == rates[10]
    assert all(later <= earlier for earlier, later in pairwise(rates[10:]))
    assert rates[100] == pytest.approx(1e-4)


def test_constant_stays_after_the_warm_up(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, "steps = 1\n[schedule]\nkind = 'constant'\nwarmup = 2" + DATA))
    rates = [learning_rate(config.optimizer, config.schedule, step=i, progress=i / 5) for i in range(6)]
    assert rates == pytest.approx([5e-4, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])
