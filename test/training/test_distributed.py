# SPDX-License-Identifier: Apache-2.0
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hmr_ros.training import distributed
from hmr_ros.training.device import choose_device
from hmr_ros.training.distributed import ProcessGroup, join_process_group, leave_process_group

PROGRAM = Path(__file__).parent / "two_processes.py"


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
    environment |= {"OMP_NUM_THREADS": "1"}
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

    assert ProcessGroup().parallel(loss, torch.nn.Linear(1, 1)) is loss


def test_several_processes_share_the_gradients_of_what_a_stage_uses(monkeypatch):
    wrapped = {}
    monkeypatch.setattr(
        distributed, "DistributedDataParallel", lambda module, **options: wrapped.update(options) or module
    )
    layer = torch.nn.Linear(1, 1)
    parallel = ProcessGroup(0, 2).parallel(lambda *batch: {"what": batch}, layer)
    assert parallel(1, "lift", 0.5) == {"what": (1, "lift", 0.5)}
    assert wrapped == {"find_unused_parameters": True}
    assert list(parallel.parameters()) == list(layer.parameters())
