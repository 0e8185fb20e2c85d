# SPDX-License-Identifier: Apache-2.0
"""The cache under attack and corruption: each case ends in a rebuild or a clear error, never in a crash or a load.

The builder is fake; files, processes, locks, signals and limits are real.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hmr_ros.engines.cache import cache as cache_module
from hmr_ros.engines.cache import entry as cache_entry
from hmr_ros.engines.cache import private_directory as private_directory
from hmr_ros.engines.cache.cache import Builder, EngineCache, default_directory
from hmr_ros.engines.cache.entry import cache_key, request_from_json, request_to_json
from hmr_ros.engines.cache.private_directory import PrivateDirectory, UnsafeFileError
from hmr_ros.engines.runtime import EngineError
from hmr_ros.engines.tensorrt.build_request import ANY_GPU, NO_DRIVER, BuildRequest
from test.engines import fake_builder
from test.engines.cache.test_child import wait_until
from test.engines.fake_builder import GOOD, TARGET, diary, request


def ignore(stage: str, fraction: float) -> None:
    """No progress is looked at."""


class Home:
    """A cache that holds one good engine, and the paths to attack it."""

    def __init__(self, directory: Path) -> None:
        self.request = request(directory)
        self.directory = directory / "engines"
        self.cache = EngineCache(self.directory, GOOD)
        self.good = self.cache.obtain(self.request, ignore)
        key = cache_key(self.request)
        self.engine, self.record, self.lock = (self.directory / f"{key}.{end}" for end in ("engine", "json", "lock"))
        self.secret = self.directory / "secret.key"

    def obtain(self) -> bytes:
        """As another process would."""
        return EngineCache(self.directory, GOOD).obtain(self.request, ignore)

    def builds(self) -> int:
        return diary(self.request).count("build")


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds and probes without a child process, for tests of files only: a hundred times as fast."""
    monkeypatch.setattr(
        cache_module, "build_in_child", lambda build, request, progress, timeout_s: build(request, progress)
    )
    monkeypatch.setattr(cache_module, "probe_in_child", lambda probe, path, request, progress: probe(path, request))


@pytest.fixture
def home(tmp_path: Path, in_process: None) -> Home:
    return Home(tmp_path)


# It works


def test_builds_and_probes_once(home: Home) -> None:
    assert home.obtain() == home.good
    assert diary(home.request) == ["build", "probe"]


def test_everything_is_private(home: Home) -> None:
    assert stat.S_IMODE(home.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.directory.iterdir()} == {0o600}
    assert not list(home.directory.glob("*.part"))


@pytest.mark.usefixtures("in_process")
def test_private_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        cache = EngineCache(tmp_path / "new" / "engines", GOOD)
        cache.obtain(request(tmp_path), ignore)
    finally:
        os.umask(old)
    for path in (cache.directory, cache.directory.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "change",
    [
        {"onnx_sha256": "cd" * 32},
        {"profile": cache_entry.BatchProfile(1, 2, 4)},
        {"workspace_bytes": 1 << 20},
        {"version_compatible": True},
        {"hardware_compatible": True},
        *(
            {"target": dataclasses.replace(TARGET, **{name: value})}
            for name, value in {
                "edition": "tensorrt",
                "version": "1.8.0",
                "gpu_name": "Other",
                "compute_capability": "sm_86",
                "driver": "590.2",
                "precision": "fp32",
            }.items()
        ),
    ],
    ids=str,
)
def test_whatever_changes_asks_for_another_engine(home: Home, change: dict[str, object]) -> None:
    """A later TensorRT, another driver, GPU or network: the stored engine is stale, and not even looked at."""
    changed = dataclasses.replace(home.request, **change)  # type: ignore[arg-type]
    assert cache_key(changed) != cache_key(home.request)
    home.cache.obtain(changed, ignore)
    assert home.builds() == 2


def test_the_directory_of_the_network_does_not_matter(home: Home, tmp_path: Path) -> None:
    assert cache_key(dataclasses.replace(home.request, onnx_path=tmp_path / "else.onnx")) == cache_key(home.request)


def test_requests_survive_json(home: Home) -> None:
    assert request_from_json(json.loads(request_to_json(home.request))) == home.request


def test_default_directory_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "link"))
    assert default_directory() == tmp_path / "hmr_ros" / "engines"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache" / "hmr_ros" / "engines"


# Damage and attacks that end in a rebuild


def rewritten_record(home: Home, **changes: object) -> None:
    """The record with other content under its old seal."""
    home.record.write_text(json.dumps(json.loads(home.record.read_text()) | changes))


def sealed_elsewhere(home: Home) -> None:
    """A well-made engine and record of another cache: the attacker's own, or one copied without its secret."""
    engine = b"evil"
    entry = cache_entry.describe_engine(home.request, engine, created=0.0)
    home.engine.write_bytes(engine)
    home.record.write_bytes(cache_entry.write_entry(entry, b"k" * 32))


def swapped(home: Home) -> None:
    """Engine and record of another network of this very cache, under this one's name."""
    other = request(home.directory.parent, "cd" * 32)
    home.cache.obtain(other, ignore)
    for path in (home.engine, home.record):
        shutil.copy(path.with_name(cache_key(other) + path.suffix), path)
    home.request.onnx_path.with_suffix(".diary").write_text("build\n")


def replaced(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def link_to_copy(path: Path) -> None:
    real = path.with_name("elsewhere")
    path.rename(real)
    path.symlink_to(real)


def second_name(path: Path) -> None:
    os.link(path, path.with_name("elsewhere"))


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def huge(path: Path) -> None:
    os.truncate(path, cache_module.MAX_ENGINE_BYTES + 1)  # sparse: takes no room on the disk


REBUILDS: dict[str, Callable[[Home], object]] = {
    "engine truncated": lambda home: truncated(home.engine),
    "engine empty": lambda home: home.engine.write_bytes(b""),
    "engine longer": lambda home: home.engine.write_bytes(home.good + b"x"),
    "engine: first bit flipped": lambda home: flip(home.engine, 0),
    "engine: last bit flipped": lambda home: flip(home.engine, -1),
    "engine exchanged": lambda home: home.engine.write_bytes(b"evil"),
    "engine and record of another network": swapped,
    "engine is a symbolic link": lambda home: link_to_copy(home.engine),
    "engine is a dangling link": lambda home: replaced(home.engine, lambda path: path.symlink_to("nowhere")),
    "engine is a hard link": lambda home: second_name(home.engine),
    "engine is a pipe": lambda home: replaced(home.engine, os.mkfifo),
    "engine is a socket": lambda home: replaced(home.engine, unix_socket),
    "engine writable by the group": lambda home: home.engine.chmod(0o660),
    "engine writable by all": lambda home: home.engine.chmod(0o666),
    "engine huge": lambda home: huge(home.engine),
    "engine without record": lambda home: home.record.unlink(),
    "record without engine": lambda home: home.engine.unlink(),
    "record empty": lambda home: home.record.write_bytes(b""),
    "record truncated": lambda home: truncated(home.record),
    "record is no JSON": lambda home: home.record.write_bytes(b"\xff\x00"),
    "record is another JSON": lambda home: home.record.write_text("[1]"),
    "record nested without end": lambda home: home.record.write_text("[" * 60_000),
    "record without seal": lambda home: home.record.write_text("{}"),
    "record with a seal of another type": lambda home: rewritten_record(home, seal=3),
    "record huge": lambda home: huge(home.record),
    "record is a symbolic link": lambda home: link_to_copy(home.record),
    "record writable by all": lambda home: home.record.chmod(0o666),
    "record: digest exchanged": lambda home: rewritten_record(home, engine_sha256="0" * 64),
    "record: network exchanged": lambda home: rewritten_record(home, onnx_sha256="cd" * 32),
    "record of another format": lambda home: rewritten_record(home, format=0),
    "sealed by another cache": sealed_elsewhere,
    "secret exchanged": lambda home: home.secret.write_bytes(b"k" * 32),
    "secret truncated": lambda home: truncated(home.secret),
    "secret missing": lambda home: home.secret.unlink(),
    "secret is a symbolic link": lambda home: link_to_copy(home.secret),
    "secret readable by the group": lambda home: home.secret.chmod(0o640),
    "left over from a killed writer": lambda home: (
        home.record.unlink(),
        home.engine.with_name(home.engine.name + ".part").write_bytes(b"ha"),
    ),
    "a link where the next write goes": lambda home: (
        home.record.unlink(),
        home.engine.with_name(home.engine.name + ".part").symlink_to("/etc/passwd"),
    ),
    "directory removed": lambda home: shutil.rmtree(home.directory),
}


@pytest.mark.parametrize("case", REBUILDS)
def test_damage_ends_in_a_rebuild(case: str, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.directory.parent)
    REBUILDS[case](home)
    assert home.obtain() == home.good
    assert home.builds() == 2
    assert home.obtain() == home.good  # and now it is well again
    assert home.builds() == 2
    (home.directory / "elsewhere").unlink(missing_ok=True)
    test_everything_is_private(home)


def test_the_reason_of_a_rebuild_is_told(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    truncated(home.engine)
    home.obtain()
    assert "built again: the engine's" in caplog.text


@pytest.fixture
def others_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The engine belongs to another user: really so for root, and as seen by the code for anybody else."""
    if os.geteuid() == 0:
        os.chown(home.engine, 12345, -1)
        yield
        return
    real, engine = os.fstat, home.engine.stat()

    def fstat(handle: int) -> os.stat_result:
        found = real(handle)
        return os.stat_result((*found[:4], 12345, *found[5:])) if found.st_ino == engine.st_ino else found

    monkeypatch.setattr(private_directory.os, "fstat", fstat)
    yield


@pytest.mark.usefixtures("others_file")
def test_an_engine_of_another_user_is_built_again(home: Home) -> None:
    assert home.obtain() == home.good
    assert home.builds() == 2


def test_a_directory_in_place_of_the_engine_is_an_error(home: Home) -> None:
    home.engine.unlink()
    home.engine.mkdir()
    with pytest.raises(EngineError, match="cannot write"):
        home.obtain()


def test_a_file_beyond_the_limit_is_not_read(home: Home) -> None:
    size = len(home.good)
    assert PrivateDirectory(home.directory).read(home.engine.name, size) == home.good
    with pytest.raises(UnsafeFileError, match=f"at most {size - 1} bytes, got {size}"):
        PrivateDirectory(home.directory).read(home.engine.name, size - 1)


# Attacks on the directory, that end in an error


def linked_directory(home: Home) -> None:
    home.directory.rename(home.directory.with_name("real"))
    home.directory.symlink_to("real")


def parent_writable(home: Home) -> None:
    home.directory.parent.chmod(0o777)


def parent_of_another(home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(home.directory.parent, 12345, -1)


def directory_of_another(home: Home) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory away")
    os.chown(home.directory, 12345, -1)


ERRORS: dict[str, tuple[Callable[[Home], object], str]] = {
    "directory is a symbolic link": (linked_directory, "symbolic link; name the real directory: .*real"),
    "directory readable by all": (lambda home: home.directory.chmod(0o755), "mode 700.*mode 755"),
    "directory writable by the group": (lambda home: home.directory.chmod(0o770), "mode 700.*mode 770"),
    "directory of another user": (directory_of_another, "got user 12345"),
    "directory is a file": (
        lambda home: (shutil.rmtree(home.directory), home.directory.write_text("")),
        "Not a directory",
    ),
    "parent writable by all": (parent_writable, "others may exchange it.*chmod go-w"),
    "parent of another user": (parent_of_another, "belongs to user 12345"),
    "lock is a symbolic link": (
        lambda home: (home.record.unlink(), home.lock.unlink(), home.lock.symlink_to("/etc/passwd")),
        "cannot lock",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_unsafe_directory_is_an_error(case: str, home: Home) -> None:
    attack, hint = ERRORS[case]
    attack(home)
    with pytest.raises(EngineError, match=hint):
        home.obtain()
    home.directory.parent.chmod(0o700)
    assert home.builds() == 1


def test_a_link_anywhere_above_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(EngineError, match="goes through a symbolic link"):
        EngineCache(tmp_path / "link" / "engines", GOOD).obtain(request(tmp_path), ignore)


def test_a_sticky_parent_is_as_good_as_tmp(home: Home) -> None:
    home.directory.parent.chmod(0o1777)
    assert home.obtain() == home.good


def test_what_was_checked_is_what_is_loaded(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine's path is exchanged between check and use: the bytes are still those of the checked file."""
    real = private_directory._checked_size

    def exchange_after(found: os.stat_result, path: Path, limit: int) -> int:
        size = real(found, path, limit)
        if path == home.engine:
            path.unlink()
            path.write_bytes(b"evil")
        return size

    monkeypatch.setattr(private_directory, "_checked_size", exchange_after)
    assert home.obtain() == home.good
    monkeypatch.undo()
    assert home.obtain() == home.good
    assert home.builds() == 2


# Disks and processes that fail


def start(
    directory: Path, build: str = "build", largest_file: int = 0, user: int = os.geteuid()
) -> subprocess.Popen[str]:
    """Obtain the engine in another process, which prints its size or the error."""
    command = [sys.executable, "-m", "test.engines.obtain", str(directory), build, str(largest_file), str(user)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    with process:
        assert process.stdout is not None
        return process.stdout.read()


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    """The largest allowed file stands for the disk: the write fails half way, as on a full one."""
    assert "EngineError" in (answer := said(start(tmp_path, "build_megabytes", largest_file=1 << 20)))
    assert "cannot write" in answer
    assert "free" in answer
    assert not [path for path in (tmp_path / "engines").iterdir() if path.suffix not in (".lock", ".key")]


def test_no_space_left_is_an_error_and_leaves_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.record.unlink()
    home.engine.unlink()
    monkeypatch.setattr(private_directory.os, "fsync", no_space)
    with pytest.raises(EngineError, match="No space left"):
        home.obtain()
    assert not home.engine.exists()
    assert not home.record.exists()


def no_space(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


NOBODY = 65534 if os.geteuid() == 0 else os.geteuid()
"""Nothing is read-only for root, so root tests as somebody else."""


@pytest.fixture
def nobodys_home() -> Iterator[Home]:
    """The home of a user who is not root, with a good engine."""
    with tempfile.TemporaryDirectory() as name:
        home = Home(Path(name))
        for path in (home.directory.parent, home.directory, *home.directory.iterdir()):
            os.chown(path, NOBODY, -1)
        yield home
        home.directory.parent.chmod(0o700)


@pytest.mark.usefixtures("in_process")
def test_a_read_only_directory_is_an_error(nobodys_home: Home) -> None:
    shutil.rmtree(nobodys_home.directory)
    nobodys_home.directory.parent.chmod(0o500)
    answer = said(start(nobodys_home.directory.parent, user=NOBODY))
    assert "cannot be used (Permission denied)" in answer
    assert "choose another directory" in answer


@pytest.mark.usefixtures("in_process")
def test_a_read_only_cache_serves_what_it_holds(nobodys_home: Home) -> None:
    nobodys_home.directory.chmod(0o500)
    assert int(said(start(nobodys_home.directory.parent, "fail", user=NOBODY))) == len(nobodys_home.good)
    truncated(nobodys_home.engine)
    nobodys_home.lock.unlink()
    assert "choose another for engines" in said(start(nobodys_home.directory.parent, user=NOBODY))


def test_killed_while_building(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    process = start(tmp_path, "build_forever")
    wait_until(lambda: bool(diary(wanted)))
    process.send_signal(signal.SIGKILL)
    said(process)
    assert list((tmp_path / "engines").glob("*.lock"))  # which nobody holds any more
    assert EngineCache(tmp_path / "engines", GOOD).obtain(wanted, ignore).startswith(b"engine for")


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("killed_at", ["write", "probe", "record"])
def test_killed_while_storing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_at: str) -> None:
    """Whatever the step at which a process vanishes, the next one builds again."""

    class KilledError(BaseException):
        pass

    def vanish(*args: object, **options: object) -> None:
        raise KilledError

    wanted, directory = request(tmp_path), tmp_path / "engines"
    with monkeypatch.context() as patch:
        patch.setattr(private_directory.PrivateDirectory, "remove", lambda self, name: None)  # nothing is tidied up
        if killed_at == "write":
            patch.setattr(private_directory.os, "rename", vanish)
        elif killed_at == "probe":
            patch.setattr(cache_module, "probe_in_child", vanish)
        else:
            patch.setattr(cache_module, "write_entry", vanish)
        with pytest.raises(KilledError):
            EngineCache(directory, GOOD).obtain(wanted, ignore)
    assert EngineCache(directory, GOOD).obtain(wanted, ignore).startswith(b"engine for")
    assert diary(wanted).count("build") == 2


def test_several_processes_build_once(tmp_path: Path) -> None:
    processes = [start(tmp_path, "build_slowly") for _ in range(3)]
    sizes = {said(process) for process in processes}
    assert len(sizes) == 1
    assert int(sizes.pop()) > 0
    assert diary(request(tmp_path)) == ["build", "probe"]


def test_who_waits_for_another_process_may_give_up(home: Home, tmp_path: Path) -> None:
    home.record.unlink()
    stages = []

    def stop(stage: str, fraction: float) -> None:
        stages.append(stage)
        raise InterruptedError

    with cache_module.file_lock(home.lock, lambda: None), pytest.raises(InterruptedError):
        home.cache.obtain(home.request, stop)
    assert stages == ["waiting for another process"]


def test_a_lock_that_is_deleted_still_locks(home: Home) -> None:
    """Whoever waited for the deleted file's lock takes that of the new file."""
    order: list[str] = []

    def wait() -> None:
        order.append("wait")
        if len(order) == 1:
            home.lock.unlink()
            first.close()

    with contextlib.ExitStack() as first:
        first.enter_context(cache_module.file_lock(home.lock, lambda: None))
        with cache_module.file_lock(home.lock, wait):
            assert home.lock.exists()
            assert order == ["wait"]


@pytest.mark.parametrize(
    ("builder", "hint"),
    [
        (Builder(fake_builder.fail, fake_builder.probe), "unsupported operator"),
        (Builder(fake_builder.crash, fake_builder.probe), "status -11"),
        (Builder(fake_builder.build, fake_builder.probe_crash), "to probe an engine.*status -11"),
    ],
)
def test_an_engine_that_cannot_be_built_or_run_is_not_stored(tmp_path: Path, builder: Builder, hint: str) -> None:
    with pytest.raises(EngineError, match=hint):
        EngineCache(tmp_path / "engines", builder).obtain(request(tmp_path), ignore)
    assert EngineCache(tmp_path / "engines", builder).survey() == []


def test_a_relative_directory_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute"):
        EngineCache(Path("engines"), GOOD)


# Engines built off the device


def portable(wanted: BuildRequest, capability: str = "sm_86+sm_89") -> BuildRequest:
    target = dataclasses.replace(wanted.target, gpu_name=ANY_GPU, driver=NO_DRIVER, compute_capability=capability)
    return dataclasses.replace(wanted, target=target)


@pytest.mark.usefixtures("in_process")
def test_an_engine_built_elsewhere_is_tried_and_adopted(tmp_path: Path) -> None:
    wanted = request(tmp_path)
    cache = EngineCache(tmp_path / "engines", GOOD)
    made = cache.obtain(portable(wanted), ignore)
    assert diary(wanted) == ["build"]  # no GPU to try it on
    moved = tmp_path / "robot"
    shutil.copytree(cache.directory, moved)  # with its secret
    robot = EngineCache(moved, Builder(fake_builder.fail, fake_builder.probe))
    assert robot.obtain(wanted, ignore) == robot.obtain(wanted, ignore) == made
    assert diary(wanted) == ["build", "probe"]


@pytest.mark.parametrize("case", ["another GPU", "another version", "no secret", "does not run"])
def test_an_engine_built_elsewhere_that_does_not_fit_is_not_adopted(tmp_path: Path, case: str) -> None:
    wanted = request(tmp_path)
    cache = EngineCache(tmp_path / "engines", GOOD)
    cache.obtain(portable(wanted, "sm_120" if case == "another GPU" else "sm_89"), ignore)
    if case == "another version":
        wanted = dataclasses.replace(wanted, target=dataclasses.replace(TARGET, version="9.9"))
    if case == "no secret":
        (cache.directory / "secret.key").unlink()
    probe = fake_builder.probe_crash_on_portable if case == "does not run" else fake_builder.probe
    EngineCache(cache.directory, Builder(fake_builder.build, probe)).obtain(wanted, ignore)
    assert diary(wanted).count("build") == 2


# Looking and tidying


def test_survey_tells_good_from_bad(home: Home) -> None:
    other = request(home.directory.parent, "cd" * 32)
    home.cache.obtain(other, ignore)
    truncated(home.engine)
    (home.directory / "orphan.engine").write_bytes(b"?")
    problems = {stored.key: stored.problem for stored in home.cache.survey()}
    assert problems.pop(cache_key(other)) == ""
    assert "bytes are not" in problems.pop(home.record.stem)
    assert "missing" in problems.pop("orphan")
    assert home.cache.remove("orphan")
    assert len(home.cache.survey()) == 2


def test_what_is_removed_leaves_nothing(home: Home) -> None:
    home.engine.with_name(home.engine.name + ".part").write_bytes(b"ha")
    for stored in home.cache.survey():
        home.cache.remove(stored.key)
    assert home.cache.survey() == []
    assert not list(home.directory.glob(home.engine.stem + "*"))
    assert home.obtain() == home.good


def test_what_is_being_built_is_not_removed(home: Home) -> None:
    with cache_module.file_lock(home.lock, lambda: None):
        assert not home.cache.remove(home.record.stem)
    assert home.obtain() == home.good
    assert home.builds() == 1


def test_kernels_are_kept_with_their_engine(home: Home) -> None:
    assert home.cache.kernels(home.request) == b""
    home.cache.store_kernels(home.request, b"kernels")
    assert EngineCache(home.directory, GOOD).kernels(home.request) == b"kernels"
    assert home.cache.remove(cache_key(home.request))
    assert home.cache.kernels(home.request) == b""


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:40] + b"x" + data[41:], lambda data: b""]
)
def test_damaged_kernels_are_not_used(home: Home, damage: Callable[[bytes], bytes]) -> None:
    home.cache.store_kernels(home.request, b"kernels of the GPU")
    path = home.engine.with_suffix(".kernels")
    path.write_bytes(damage(path.read_bytes()))
    assert home.cache.kernels(home.request) == b""


def test_what_is_discarded_is_built_anew(tmp_path: Path) -> None:
    cache, wanted = EngineCache(tmp_path / "engines", GOOD), request(tmp_path)
    cache.obtain(wanted, ignore)
    assert cache.discard(wanted)
    assert cache.find(wanted) is None
    cache.obtain(wanted, ignore)
    assert diary(wanted) == ["build", "probe"] * 2


def test_nothing_is_built_where_that_is_not_allowed(tmp_path: Path) -> None:
    directory, wanted = tmp_path / "engines", request(tmp_path)
    careful = EngineCache(directory, dataclasses.replace(GOOD, allowed=False))
    with pytest.raises(EngineError, match=r"no engine for .* run `hmr engines build`"):
        careful.obtain(wanted, ignore)
    assert diary(wanted) == []
    EngineCache(directory, GOOD).obtain(wanted, ignore)
    assert careful.obtain(wanted, ignore).startswith(b"engine for")


@pytest.mark.slow
def test_a_build_that_takes_too_long_ends(tmp_path: Path) -> None:
    builder = Builder(fake_builder.build_forever, fake_builder.probe, timeout_s=2.0)
    with pytest.raises(EngineError, match="took longer than 2 s"):
        EngineCache(tmp_path / "engines", builder).obtain(request(tmp_path), ignore)
