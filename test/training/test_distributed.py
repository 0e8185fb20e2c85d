# SPDX-License-Identifier: Apache-2.0
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.training import distributed
from hmr_ros.training.checkpoint import load_checkpoint
from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import ProcessGroup, join_process_group, leave_process_group

PROGRAM = Path(__file__).parent / "two_processes.py"
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_batches_are_shared_without_overlap():
    fractions = [list(ProcessGroup(rank, 3).fraction(range(2, 5))) for rank in range(3)]
    assert sorted(number for fraction in fractions for number in fraction) == list(range(6, 15))
    assert {len(fraction) for fraction in fractions} == {3}


def test_alone_every_batch_is_ours():
    assert ProcessGroup().fraction(range(4, 9)) == range(4, 9)


def test_a_missing_gpu_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto").type == "cpu"
    with pytest.raises(ValueError, match="no GPU"):
        choose_device("cuda")


@pytest.mark.parametrize(("device", "backend"), [("cpu", "gloo"), ("cuda", "nccl")])
def test_one_process_of_two_meets_the_other_once_and_leaves(monkeypatch, device, backend):
    met: list[str] = []
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr(torch.distributed, "init_process_group", met.append)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: bool(met))
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: len(met))
    monkeypatch.setattr(torch.distributed, "destroy_process_group", met.clear)
    for _ in range(2):
        assert join_process_group(torch.device(device)) == ProcessGroup(1, 2)
        assert met == [backend]
    leave_process_group()
    assert met == []


def test_without_torchrun_a_process_is_alone(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = join_process_group(torch.device("cpu"))
    assert group == ProcessGroup(0, 1)
    assert group.leads
    leave_process_group()  # nothing to end


@pytest.mark.slow
def test_two_processes_step_as_one_with_both_batches(tmp_path):
    port = str(free_port())
    environment = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen([sys.executable, str(PROGRAM), str(tmp_path)], env=environment | {"RANK": str(rank)})
        for rank in range(2)
    ]
    assert [run.wait(timeout=120) for run in runs] == [0, 0]
    weights = [np.load(tmp_path / f"{rank}.npy") for rank in range(2)]
    np.testing.assert_array_equal(weights[0], weights[1])
    gradient = np.mean([np.load(tmp_path / f"gradient{rank}.npy") for rank in range(2)], axis=0)
    np.testing.assert_allclose(weights[0], -gradient, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "found", "rank", "device"),
    [
        ("auto", True, None, "cuda:0"),
        ("auto", True, "3", "cuda:3"),
        ("cuda", True, "1", "cuda:1"),
        ("cpu", True, "1", "cpu"),
        ("cpu", False, None, "cpu"),
    ],
)
def test_each_process_has_the_gpu_of_its_rank(monkeypatch, name, found, rank, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: found)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert choose_device(name) == torch.device(device)


def test_the_first_process_leads():
    assert ProcessGroup(0, 2).leads
    assert not ProcessGroup(1, 2).leads


def test_alone_the_loss_is_that_of_the_recipe():
    def loss(batch, stage, progress):
        return {}

    assert ProcessGroup().parallel(loss, torch.nn.Linear(1, 1), False) is loss


@pytest.mark.parametrize("partly_used", [True, False])
def test_several_processes_look_for_unused_weights_only_where_there_may_be_some(monkeypatch, partly_used):
    wrapped = {}
    monkeypatch.setattr(
        distributed, "DistributedDataParallel", lambda module, **options: wrapped.update(options) or module
    )
    layer = torch.nn.Linear(1, 1)
    parallel = ProcessGroup(0, 2).parallel(lambda *batch: {"what": batch}, layer, partly_used)
    assert parallel(1, "lift", 0.5) == {"what": (1, "lift", 0.5)}
    assert wrapped == {"find_unused_parameters": partly_used}
    assert list(parallel.parameters()) == list(layer.parameters())


def torchrun(config: Path, out: Path, *words: str) -> subprocess.Popen[bytes]:
    """`hmr train` by torchrun with ``words``, as it has started."""
    command = [sys.executable, "-m", "torch.distributed.run", *words]
    command += ["-m", "hmr_ros.cli", "train", str(config), "--out", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment)


def on_one_machine(config: Path, out: Path) -> list[subprocess.Popen[bytes]]:
    """Two processes of one torchrun."""
    return [torchrun(config, out, "--nproc-per-node", "2", "--master-port", str(free_port()))]


def on_two_machines(config: Path, out: Path) -> list[subprocess.Popen[bytes]]:
    """Two torchruns of one process each, as on machines that share the directory ``out``."""
    nodes = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    return [torchrun(config, out, *nodes, "--node-rank", str(rank)) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("start", [on_one_machine, on_two_machines])
def test_two_processes_train_a_network_and_go_on(tmp_path, start):
    config, out = tmp_path / "my.toml", tmp_path / "run"
    text = (
        'recipe = "hands"\n[run]\nworkers = 0\ndevice = "cpu"\nvalidation_people = 8\nlog_every = 1\n'
        "[hands]\nwidth = 16\nblocks = 1\n[lift]\nsteps = {}\nbatch_size = 4\nwarmup = 1\n"
    )
    for steps in (2, 3):
        config.write_text(text.format(steps))
        assert not any([run.wait(timeout=300) for run in start(config, out)])
        assert load_checkpoint(out / "last.pt").step == steps
    written = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in written if "validation" not in line] == [1, 2, 3], "one process writes"
