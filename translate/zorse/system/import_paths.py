"""Objects that settings and cards name by import path, "package.module:Name".

Importing a module runs it. So a path that a file names is followed only into packages that the user has named.
"""

import inspect
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import Field

from zorse.errors import ConfigError, ZorseError

ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
"""Where an object is: "package.module:Name"."""

_allowed: ContextVar[frozenset[str]] = ContextVar("allowed", default=frozenset())
_allowed_everywhere: set[str] = set()
"""In all threads."""

T = TypeVar("T")


@contextmanager
def allow_code(packages: str | Iterable[str], *, everywhere: bool = False) -> Iterator[None]:
    """Inside, code of these packages may be imported and run where a setting or a card names it.

    Args:
        packages: names of packages or modules: "mypackage" allows "mypackage.nets", too.
        everywhere: in all threads, and not in this one alone.
    """
    names = {packages} if isinstance(packages, str) else set(packages)
    if everywhere:
        names -= _allowed_everywhere  # what was allowed before stays so afterwards
        _allowed_everywhere.update(names)
        try:
            yield
        finally:
            _allowed_everywhere.difference_update(names)
        return
    token = _allowed.set(_allowed.get() | frozenset(names))
    try:
        yield
    finally:
        _allowed.reset(token)


def modules_named(settings: Any) -> set[str]:
    """Modules of the import paths that settings, in nested dicts and lists, name as a `kind` or as `readers`."""
    if isinstance(settings, Mapping):
        readers = settings.get("readers")
        paths = [settings.get("kind"), *(readers.values() if isinstance(readers, Mapping) else ())]
        own = {path.partition(":")[0] for path in paths if isinstance(path, str) and ":" in path}
        return own.union(*(modules_named(value) for value in settings.values()))
    if isinstance(settings, list | tuple):
        return set().union(*(modules_named(value) for value in settings))
    return set()


def constructed(path: str, kind: type[T], settings: Mapping[str, Any], *first: Any, has: Iterable[str] = ()) -> T:
    """What a class of a stranger makes of its settings.

    The class is looked at before it is called: settings may not call whatever is installed.

    Args:
        path: of the class.
        kind: that it must derive from.
        settings: keyword arguments.
        first: arguments before them.
        has: names of methods that it must have.

    Raises:
        ConfigError: as `found_at`, it is no such class, the settings are not its arguments, or it fails.
    """
    make = found_at(path)
    if not (isinstance(make, type) and issubclass(make, kind)):
        raise ConfigError(f"{path} is no class that derives from {kind.__module__}.{kind.__name__}, which was wanted.")
    if lacking := [name for name in has if not callable(getattr(make, name, None))]:
        raise ConfigError(f"{path} lacks the methods {', '.join(lacking)}, of those that it needs: {', '.join(has)}.")
    try:
        inspect.signature(make).bind(*first, **settings)
    except TypeError as error:
        given = ", ".join(settings) or "none"
        raise ConfigError(f"The settings of {path} do not fit it: {error} (given: {given}).") from error
    except ValueError:  # Some that are not written in Python do not tell their arguments.
        pass
    try:
        made = make(*first, **settings)
    except ZorseError:
        raise
    except Exception as error:  # whatever a stranger's code does
        raise ConfigError(f"{path} failed: {told(error)} ({_place(error)}).") from error
    if not isinstance(made, kind):  # Python lets a class make something else.
        raise ConfigError(f"{path} makes a {type(made).__name__}; a {kind.__module__}.{kind.__name__} was wanted.")
    return made


def found_at(path: str) -> Any:
    """The class or function of a stranger.

    Raises:
        ConfigError: the user has not allowed its package, it is a part of Python, it cannot be imported, or there is
            nothing to call.
    """
    module, _, name = path.partition(":")
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names:
        raise ConfigError(f"{path} is a part of Python and was not written for Zorse. Name code that was.")
    allowed = _allowed.get() | _allowed_everywhere
    if not any(module == name or module.startswith(f"{name}.") for name in allowed):
        raise ConfigError(
            f"{path} is code, which would be run to go on. If you trust its author, allow it with --allow-code "
            f"{package} (in Python: allow_code={package!r}). An .onnx file of the same model needs no code."
        )
    found = getattr(_imported(module), name, None)
    if not callable(found):
        raise ConfigError(f"The module {module} holds no class or function {name}.")
    return found


def built_in(path: str) -> Any:
    """The class or function of Zorse itself at a path that Zorse's own code names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"The module {module} needs {error.name}, which is not installed.") from error
        here = Path.cwd()
        if str(here) in sys.path or not any((here / name).exists() for name in (package, f"{package}.py")):
            raise ConfigError(
                f"There is no module {module}. Install its package here, or start Zorse in the folder that holds it."
            ) from error
    except Exception as error:  # whatever a stranger's module does
        raise ConfigError(f"The module {module} cannot be imported: {told(error)} ({_place(error)}).") from error
    sys.path.append(str(here))  # last: a file here stands in for nothing that is installed
    return _imported(module)


def told(error: Exception) -> str:
    """What went wrong in a stranger's code, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(".: ")


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}, line {last.lineno}"
