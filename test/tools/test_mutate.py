# SPDX-License-Identifier: Apache-2.0
"""Mutation testing itself: what is broken, which tests are chosen, and which mutants survive."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from hmr_ros.tools.mutation import server
from hmr_ros.tools.mutation.allowed import FILE, Allowed, load_allowed
from hmr_ros.tools.mutation.drawing import changed_mutants, random_mutants
from hmr_ros.tools.mutation.report import draft, load_results, save_results, summary, wilson_interval
from hmr_ros.tools.mutation.selection import Selection
from hmr_ros.tools.mutation.sites import Mutant, mutants_of
from hmr_ros.tools.mutation.workbench import Workbench, copy_tree, environment

NOTHING_ALLOWED = Allowed(frozenset(), {})
AGES = '''"""How old people are."""

OF_AGE = 18


def is_grown_up(age: int) -> bool:
    """Whether somebody is of age."""
    return age >= OF_AGE


def oldest(first: int, second: int) -> int:
    return max(first, second)
'''


def broken(line: str) -> set[str]:
    """What a line of code within a function may become."""
    head = "def f(self, a: int, b: list[int], x: float) -> int:\n    "
    source = f"{head}{line}\n"
    return {m.applied(source).removeprefix(head).rstrip() for m in mutants_of("hmr_ros/a.py", source)}


def test_comparisons_conditions_arithmetic_and_constants_change() -> None:
    assert broken("return a < x") == {"return a <= x", "return a >= x"}
    assert broken("return a is not None and x in b") >= {
        "return a is None and x in b",
        "return a is not None or x in b",
    }
    assert broken("return a * x + 1") == {"return a / x + 1", "return a * x - 1", "return a * x + 2"}
    assert broken("return -x if a else 0.5") == {
        "return (x) if a else 0.5",
        "return -x if not (a) else 0.5",
        "return -x if a else 1.0",
    }


def test_statements_arguments_and_functions_change() -> None:
    assert broken("self.a = x") == {"pass"}
    assert broken("b.append(x)") == {"pass"}
    assert broken("return f(a, x)") == {"return f(x, a)"}
    assert broken("return min(b)") == {"return max(b)"}
    assert broken("return b[-1]") == {"return b[0]", "return b[(1)]", "return b[-2]"}
    assert broken("return a @ x") == {"return (x) @ (a)"}


@pytest.mark.parametrize(
    "line",
    [
        '"""Text of 3 words."""',
        'return f"{a + 1}"',
        'log.warning("%s", a + 1)',
        "y: list[int] | None",
        "return isinstance(a, b)",
        "return np.hypot(a, x)",
    ],
)
def test_text_and_types_are_left_alone(line: str) -> None:
    assert broken(line) == set()


def test_a_raised_error_may_go_but_its_message_stays() -> None:
    assert broken("raise ValueError(f'{a}' + str(x + 1))") == {"pass"}


def test_every_mutant_of_real_files_compiles_and_is_one() -> None:
    for file in (Path(server.__file__), Path(server.__file__).with_name("sites.py")):
        source = file.read_text()
        mutants = mutants_of("hmr_ros/a.py", source)
        assert len(mutants) > 20
        for mutant in mutants:
            assert mutant.applied(source) != source
            compile(mutant.applied(source), "a.py", "exec")


def test_changes_are_made_at_the_right_place_behind_other_alphabets() -> None:
    assert broken("return 'größer — ' * a") == {"return 'größer — ' / a"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with git, in which one function has a test that is too weak."""
    root = tmp_path / "tree"
    files = {
        "hmr_ros/__init__.py": "",
        "hmr_ros/core/__init__.py": "",
        "hmr_ros/core/ages.py": AGES,
        "hmr_ros/core/school.py": "from hmr_ros.core.ages import is_grown_up\n",
        "test/__init__.py": "",
        "test/core/__init__.py": "",
        "test/core/test_ages.py": "from hmr_ros.core import ages\n\n\ndef test_it():\n"
        "    assert ages.is_grown_up(18)\n    assert not ages.is_grown_up(17)\n    assert ages.oldest(4, 4) == 4\n",
        "test/core/test_school.py": "import hmr_ros.core.school\n",
        "test/core/test_other.py": "",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "hmr_ros/tools/mutation").mkdir(parents=True)
    shutil.copy(server.__file__, root / "hmr_ros/tools/mutation/server.py")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message=a")
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


def test_the_mirrored_test_comes_first_then_those_that_import_less_directly(tree: Path) -> None:
    assert Selection(tree).stages("hmr_ros/core/ages.py", 9) == [
        ["test/core/test_ages.py"],
        ["test/core/test_school.py"],
    ]
    assert Selection(tree).stages("hmr_ros/core/ages.py", 1) == [["test/core/test_ages.py"]]


def test_random_mutants_are_the_same_for_a_seed_and_on_lines_of_their_own(tree: Path) -> None:
    def drawn(seed: int) -> list[Mutant]:
        return random_mutants(tree, ["core"], 3, seed, NOTHING_ALLOWED)

    assert drawn(1) == drawn(1)
    assert len({mutant.line for mutant in drawn(1)}) == 3
    assert any(drawn(0) != drawn(seed) for seed in range(1, 9))


def test_constants_that_only_tune_are_not_broken_when_the_allow_file_says_so(tree: Path) -> None:
    (tree / FILE).write_text('[[tuning]]\npath = "hmr_ros/core/ages.py"\nname = "OF_AGE"\nreason = "law"\n')
    lines = {m.line for m in random_mutants(tree, ["core"], 9, 0, load_allowed(tree))}
    assert lines == {8, 12}
    (tree / FILE).write_text('[[tuning]]\npath = "hmr_ros/core/ages.py"\nname = "OF_AGE"\nreason = ""\n')
    with pytest.raises(ValueError, match="reason"):
        load_allowed(tree)


def test_changed_lines_are_those_since_a_revision(tree: Path) -> None:
    assert changed_mutants(tree, "HEAD", NOTHING_ALLOWED) == []
    (tree / "hmr_ros/core/ages.py").write_text(AGES.replace("max(first, second)", "max(second, first)"))
    assert {m.line for m in changed_mutants(tree, "HEAD", NOTHING_ALLOWED)} == {12}
    with pytest.raises(ValueError, match="no revision 'nowhere'"):
        changed_mutants(tree, "nowhere", NOTHING_ALLOWED)


def test_weak_tests_let_mutants_survive_and_the_tree_stays_as_it_is(tree: Path, tmp_path: Path) -> None:
    copy = (tmp_path / "copy").resolve()
    copy_tree(tree, copy)
    bench = Workbench(copy, environment(tree, copy) | {"PYTHONPATH": ""}, seconds=60, libraries=["pytest"])
    mutants = {m.applied(AGES).splitlines()[m.line - 1].strip(): m for m in mutants_of("hmr_ros/core/ages.py", AGES)}

    def noticed_by(after: str) -> str:
        return bench.noticed_by(mutants[after], [["test/core/test_ages.py"]])

    try:
        assert noticed_by("return age > OF_AGE") == "test/core/test_ages.py::test_it"
        assert noticed_by("OF_AGE = 19") == "test/core/test_ages.py::test_it"
        assert noticed_by("return min(first, second)") == ""
        assert noticed_by("return age < OF_AGE") == "test/core/test_ages.py::test_it"
    finally:
        bench.close()
    assert (tree / "hmr_ros/core/ages.py").read_text() == (copy / "hmr_ros/core/ages.py").read_text() == AGES


def test_a_test_that_fails_anyway_proves_nothing(tree: Path, tmp_path: Path) -> None:
    (tree / "test/core/test_ages.py").write_text("def test_always_fails():\n    assert False\n")
    copy = (tmp_path / "copy").resolve()
    copy_tree(tree, copy)
    bench = Workbench(copy, environment(tree, copy) | {"PYTHONPATH": ""}, seconds=60, libraries=[])
    try:
        mutant = mutants_of("hmr_ros/core/ages.py", AGES)[0]
        assert bench.noticed_by(mutant, [["test/core/test_ages.py"]]) == ""
    finally:
        bench.close()


def test_links_of_the_install_space_lead_to_the_copy(tree: Path, tmp_path: Path) -> None:
    (tree / ".gitignore").write_text("install\nbuild\n")
    (tree / "install").mkdir()
    (tree / "install/core").symlink_to(tree / "hmr_ros/core")
    (tree / "install/built").symlink_to(tree / "build/built")
    copy = tmp_path / "copy"
    copy_tree(tree, copy)
    assert os.readlink(copy / "install/core") == str(copy / "hmr_ros/core")
    assert os.readlink(copy / "install/built") == str(tree / "build/built")


def test_results_are_kept_and_summed_up_with_equivalent_ones_apart(tmp_path: Path) -> None:
    mutants = mutants_of("hmr_ros/core/ages.py", AGES)[:3]
    fates = [draft(m, AGES).decided(*f) for m, f in zip(mutants, FATES, strict=True)]
    save_results(tmp_path / "out" / "mutants.json", fates)
    assert load_results(tmp_path / "out" / "mutants.json") == fates
    assert load_results(tmp_path / "none.json") == []
    text = summary(fates)
    assert "1 of 2 mutants survived: 50%" in text
    assert "1 equivalent" in text
    assert f"-{fates[1].before}\n+{fates[1].after}" in text


FATES = (("noticed", "a test"), ("survived", ""), ("equivalent", "because"))


def test_a_draft_has_the_changed_lines_only() -> None:
    source = "def f(a):\n    g(\n        a,\n    )\n    return a\n"
    removed = next(m for m in mutants_of("a.py", source) if m.kind == "removed statement")
    result = draft(removed, source)
    assert (result.line, result.before, result.after) == (2, "    g(\n        a,\n    )", "    pass")


def test_the_interval_of_a_rate_is_wilsons() -> None:
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=1e-4)
    assert wilson_interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson_interval(0, 0) == (0, 1)


def test_a_mutant_that_never_ends_is_noticed(tree: Path, tmp_path: Path) -> None:
    endless = "def count(left: int) -> None:\n    while left > 0:\n        left -= 1\n"
    (tree / "hmr_ros/core/endless.py").write_text(endless)
    (tree / "test/core/test_endless.py").write_text(
        "from hmr_ros.core.endless import count\n\n\ndef test_it():\n    count(3)\n"
    )
    copy = (tmp_path / "copy").resolve()
    copy_tree(tree, copy)
    bench = Workbench(copy, environment(tree, copy) | {"PYTHONPATH": ""}, seconds=3, libraries=["pytest"])
    try:
        mutant = next(m for m in mutants_of("hmr_ros/core/endless.py", endless) if m.new == "+=")
        assert bench.noticed_by(mutant, [["test/core/test_endless.py"]]) == "time-out"
    finally:
        bench.close()
