"""A rule of `decide`, and the patch that takes it out of a running process or of the next import."""

import gc
import sys
from collections.abc import Collection, Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType

STATE = Path(__file__).resolve().parents[1] / "state"
FUNCTION = 1
"""A flag of the code of every function. The bodies of modules and classes, which run at import, do not have it."""

Place = tuple[str, str, int]
"""File, qualified name and first line of a function."""


def place(code: CodeType) -> Place:
    """Return where a function is written."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def live_functions() -> dict[Place, list[FunctionType]]:
    """Return the functions of `state` that this process has imported."""
    found: dict[Place, list[FunctionType]] = {}
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename.startswith(str(STATE)):
            found.setdefault(place(one.__code__), []).append(one)
    return found


class Patch:
    """One rule, and the text without it."""

    def __init__(self, name: str, module: str, old: str, new: str, *, simulated: bool) -> None:
        self.name = name
        self.simulated = simulated
        self.path = STATE / f"{module}.py"
        self.module = f"state.{module.replace('/', '.')}"
        self._with = self.path.read_text(encoding="utf-8")
        self._without = self._with.replace(old, new)
        self.fits = self._with.count(old) == 1 and old != new

    def compiled(self) -> CodeType:
        """Compile the module without the rule.

        Raises:
            SyntaxError: the patch breaks the module.
        """
        return self._compile(self._without)

    def exchange(self, live: Mapping[Place, list[FunctionType]], called: Collection[Place]) -> bool:
        """Give the changed functions their new code; return False where only an import of the patch will do.

        That is so where the patch changes what runs at import, or a function among those that were `called` then.
        """
        changed = changed_functions(self._compile(self._with), self.compiled())
        if changed is None or any(place(old) in called or place(old) not in live for old, _ in changed):
            return False
        for old, new in changed:
            for function in live[place(old)]:
                function.__code__ = new
        return True

    def import_without(self) -> None:
        """Let this process, which has not imported the module yet, import it without the rule."""
        sys.meta_path.insert(0, _Finder(self))

    def _compile(self, source: str) -> CodeType:
        return compile(source, str(self.path), "exec", dont_inherit=True)


class _Finder:
    """Finds the one module that is patched."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:  # noqa: ARG002
        if name != self._patch.module:
            return None
        return spec_from_file_location(name, self._patch.path, loader=_Loader(self._patch))


class _Loader(SourceFileLoader):
    """Loads the one module that is patched, from no bytecode and to none."""

    def __init__(self, patch: Patch) -> None:
        super().__init__(patch.module, str(patch.path))
        self._patch = patch

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002
        return self._patch.compiled()


def changed_functions(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """Return the outermost functions whose code differs; None where what runs at import differs."""
    if _behaviour(old, deep=False) != _behaviour(new, deep=False):
        return None
    found: list[tuple[CodeType, CodeType]] = []
    for before, after in zip(_inner(old), _inner(new), strict=True):
        if not before.co_flags & FUNCTION:
            within = changed_functions(before, after)
            if within is None:
                return None
            found += within
        elif _behaviour(before, deep=True) != _behaviour(after, deep=True):
            if before.co_freevars != after.co_freevars:
                return None
            found.append((before, after))
    return found


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _behaviour(code: CodeType, *, deep: bool) -> tuple[object, ...]:
    """Return what the code does, on whatever lines it is; `deep` includes the functions and classes within."""
    constants: list[object] = []
    for constant in code.co_consts:
        if not isinstance(constant, CodeType):
            constants.append((type(constant), repr(constant)))
        elif deep:
            constants.append(_behaviour(constant, deep=True))
        else:
            constants.append((constant.co_qualname, constant.co_flags))
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_exceptiontable)
    return code.co_code, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars, counts, constants
