# SPDX-License-Identifier: Apache-2.0
"""Every small wrong change that can be made to a source file.

Text that only a reader sees is left alone: docstrings, annotations, messages of errors and of the log, progress bars,
decorators, ``__repr__``. Changes are made to the source text itself, so that a mutant's diff is one short line.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
_OPPOSITES = dict(
    pair
    for a, b in (
        ("min", "max"), ("minimum", "maximum"), ("fmin", "fmax"), ("amin", "amax"), ("argmin", "argmax"),
        ("any", "all"), ("floor", "ceil"), ("sin", "cos"), ("zeros", "ones"), ("zeros_like", "ones_like"),
    )
    for pair in ((a, b), (b, a))
)  # fmt: skip
_SYMMETRIC = frozenset("min max minimum maximum fmin fmax swapaxes hypot lcm gcd allclose".split())
_LOGS = frozenset("debug info warn warning error exception fatal log print tqdm".split())
_TEXT_FUNCTIONS = frozenset(("__repr__", "__str__"))


@dataclass(frozen=True)
class Mutant:
    """One change: the bytes ``start`` to ``end`` of the file ``path`` (within the tree) become ``new``.

    ``name`` is the module's or class's constant that the change lies in, or empty; ``line`` counts from 1.
    """

    path: str
    line: int
    start: int
    end: int
    new: str
    kind: str
    name: str = ""

    def applied(self, source: str) -> str:
        """``source``, the text of the file, with the change made."""
        data = source.encode()
        return (data[: self.start] + self.new.encode() + data[self.end :]).decode()


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every mutant of a file, in the order of the file. Raises SyntaxError for broken source."""
    found = _Finder(path, source)
    found.visit(ast.parse(source))
    unique = {(m.start, m.end, m.new): m for m in found.mutants}
    return [unique[key] for key in sorted(unique)]


class _Finder(ast.NodeVisitor):
    """Walks a file and notes the mutants of every node that is behaviour."""

    def __init__(self, path: str, source: str) -> None:
        self._path = path
        self._data = source.encode()
        self._starts = [0]
        for line in source.encode().splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))
        self._name = ""
        self._depth = 0
        self.mutants: list[Mutant] = []

    # what is text, or types, and so no behaviour

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if node.name in _TEXT_FUNCTIONS:
            return
        self._depth += 1
        for default in (*node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(default)
        self._statements(node.body)
        self._depth -= 1

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._statements(node.body)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self._assigned(node.target, node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Text: left alone."""

    def visit_Raise(self, node: ast.Raise) -> None:
        self._note(node, "pass", "removed raise")

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) == "TYPE_CHECKING":
            return
        self._note(node.test, f"not ({self._text(node.test)})", "negated condition")
        self.generic_visit(node)

    # statements

    def _statements(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    def visit_Assign(self, node: ast.Assign) -> None:
        if self._depth and not isinstance(node.targets[0], ast.Name | ast.Tuple):
            self._note(node, "pass", "removed statement")
        self._assigned(node.targets[0], node.value)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        outer = self._name
        if not self._depth and isinstance(target, ast.Name):
            self._name = target.id
        if self._name != "__all__":
            self.visit(value)
        self._name = outer

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._note(node, "pass", "removed statement")
        if type(node.op) in _ARITHMETIC:
            old, new = _ARITHMETIC[type(node.op)]
            self._between(node.target, node.value, f"{old}=", f"{new}=", "arithmetic")
        self.generic_visit(node)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call | ast.Await) and not _is_log(node.value):
            self._note(node, "pass", "removed statement")
        self.generic_visit(node)

    def visit_Continue(self, node: ast.Continue) -> None:
        self._note(node, "break", "removed statement")

    def visit_Break(self, node: ast.Break) -> None:
        self._note(node, "continue", "removed statement")

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is None:
            self._note(node, "pass", "removed statement")
        self.generic_visit(node)

    # expressions

    def visit_Compare(self, node: ast.Compare) -> None:
        for left, op, right in zip((node.left, *node.comparators), node.ops, node.comparators, strict=False):
            old, news = _COMPARISONS[type(op)]
            for new in news:
                self._between(left, right, old, new, "comparison")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if type(node.op) in _ARITHMETIC and not self._is_type(node):
            self._between(node.left, node.right, *_ARITHMETIC[type(node.op)], "arithmetic")
        if isinstance(node.op, ast.MatMult):
            self._note(node, f"({self._text(node.right)}) @ ({self._text(node.left)})", "swapped operands")
        self.generic_visit(node)

    def _is_type(self, node: ast.BinOp) -> bool:
        """Whether ``a | b`` is a union of types, such as an alias or an argument of isinstance."""
        return isinstance(node.op, ast.BitOr) and bool(re.match(r"[\w.]*\b[A-Z]\w*[a-z]|None", self._text(node.right)))

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self._between(left, right, old, new, "boolean")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.USub | ast.Not | ast.Invert):
            self._note(node, f"({self._text(node.operand)})", "boolean" if isinstance(node.op, ast.Not) else "sign")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._note(node.test, f"not ({self._text(node.test)})", "negated condition")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._note(node, str(not node.value), "constant")
        elif isinstance(node.value, int):
            self._note(node, str(node.value + 1), "constant")
        elif isinstance(node.value, float):
            self._note(node, repr(2 * node.value if node.value else 1.0), "constant")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        index = node.slice
        if isinstance(index, ast.UnaryOp) and ast.unparse(index) == "-1":
            self._note(index, "0", "index")
        elif isinstance(index, ast.Slice) and index.lower and index.upper:
            self._note(index.lower, "", "index")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if _is_log(node):
            return
        if len(node.args) > 1 and not any(isinstance(a, ast.Starred) for a in node.args[:2]):
            first, second = (self._text(a) for a in node.args[:2])
            if not _ignores_order(node):
                self._span(node.args[0], node.args[1], f"{second}, {first}", "swapped arguments")
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in _OPPOSITES:
            end = self._end(node.func)
            self._add(node.func, end - len(name), end, _OPPOSITES[name], "opposite function")
        self.generic_visit(node)

    # how a mutant is noted

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + column

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.end_lineno or node.lineno, node.end_col_offset or 0)

    def _text(self, node: ast.expr) -> str:
        return self._data[self._start(node) : self._end(node)].decode()

    def _note(self, node: ast.expr | ast.stmt, new: str, kind: str) -> None:
        self._add(node, self._start(node), self._end(node), new, kind)

    def _span(self, first: ast.expr, last: ast.expr, new: str, kind: str) -> None:
        self._add(first, self._start(first), self._end(last), new, kind)

    def _between(self, left: ast.expr, right: ast.expr, old: str, new: str, kind: str) -> None:
        """Note that the operator between two operands changes, unless a comment stands there, too."""
        begin = self._end(left)
        gap = self._data[begin : self._start(right)].decode()
        if "#" not in gap and (at := gap.find(old)) >= 0:
            at = begin + len(gap[:at].encode())
            self._add(right, at, at + len(old), new, kind)

    def _add(self, node: ast.expr | ast.stmt, start: int, end: int, new: str, kind: str) -> None:
        if self._data[start:end].decode() != new:
            line = self._data.count(b"\n", 0, start) + 1
            self.mutants.append(Mutant(self._path, line, start, end, new, kind, self._name))


def _is_log(node: ast.expr) -> bool:
    """Whether this calls a method of a logger, prints, or draws a progress bar."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in _LOGS and "np." not in ast.unparse(node.func) and "torch" not in ast.unparse(node.func)


def _ignores_order(node: ast.Call) -> bool:
    """Whether a call's first two arguments are as good the other way round, or are no values."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return name in _SYMMETRIC or name in {"isinstance", "issubclass", "cast", "getattr"}
