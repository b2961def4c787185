"""Code of others, named by an import path such as "mypackage.nets:MyGenerator": allowed, imported, called.

Whoever types a path allows it: on the command line, in a file of settings, in Python. A path that a model file or the
folder of somebody else's run brings along runs nothing until the user has named its package (`allow_code`). Modules of
Python itself are never run: "os:remove" is no reader of pictures.
"""

import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib import import_module
from typing import Annotated, Any

from pydantic import Field

from zorse.errors import ConfigError, CustomCodeError, did_you_mean

_DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
ImportPath = Annotated[str, Field(pattern=f"^{_DOTTED}:{_DOTTED}$")]
"""A module, a colon, and a name in the module."""

_allowed: ContextVar[frozenset[str]] = ContextVar("allowed", default=frozenset())


def is_import_path(kind: object) -> bool:
    """Whether a kind names code of others, and not one of Zorse's own kinds."""
    return isinstance(kind, str) and ":" in kind


def module_of(path: str) -> str:
    """Of "mypackage.nets:MyGenerator" "mypackage.nets"."""
    return path.partition(":")[0]


@contextmanager
def allow_code(names: Iterable[str]) -> Iterator[None]:
    """Inside, in this thread, code of these packages may run.

    Args:
        names: of packages or modules, with all that is below them: "mypackage", "mypackage.nets".

    Raises:
        ConfigError: a name that is none of a package.
    """
    wanted = frozenset(names)
    for name in sorted(wanted):
        if not re.fullmatch(_DOTTED, name):
            raise ConfigError(
                f"The code to allow is named by its package, such as mypackage or mypackage.nets, not {name!r}."
            )
    before = _allowed.set(_allowed.get() | wanted)
    try:
        yield
    finally:
        _allowed.reset(before)


def check_allowed(path: str) -> None:
    """See that the user has allowed the code that a path names.

    Raises:
        CustomCodeError: not, or it is a module of Python.
    """
    module = module_of(path)
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names:
        raise CustomCodeError(
            f"{path} is a part of Python and was not written for Zorse. Name a class or a function of your own."
        )
    if not any(module == name or module.startswith(f"{name}.") for name in _allowed.get()):
        raise CustomCodeError(
            f"{path} is code of the package {package!r}, and neither a model file nor the folder of a run makes code "
            f"run by itself. If you trust that package, name it: --allow-code {package}, or in Python "
            f'allow_code="{package}". An exported ONNX file needs no code.'
        )


def resolve(path: str) -> Any:
    """What a path of others names.

    Raises:
        CustomCodeError: the user has not allowed it, it is not installed, its import fails, or it holds no such name.
    """
    check_allowed(path)
    return _imported(path)


def own(path: str) -> Any:
    """What a path in Zorse's own tables names; it is imported when it is first needed."""
    return _imported(path)


def _imported(path: str) -> Any:
    module_name, _, name = path.partition(":")
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        missing = error.name or module_name
        if not f"{module_name}.".startswith(f"{missing}."):
            raise CustomCodeError(
                f"{path} cannot be imported: it needs the module {missing!r}, which is not installed. Install it."
            ) from error
        raise CustomCodeError(
            f"{path} is not here: Python finds no module {missing!r}. Install its package, or add the folder that it "
            "is in to the environment variable PYTHONPATH."
        ) from error
    except Exception as error:  # Whatever the module does while it is imported.
        raise CustomCodeError(f"{path} cannot be imported: {described(error)}.") from error
    for part in name.split("."):
        if not hasattr(found, part):
            guess = did_you_mean(part, (known for known in vars(found) if not known.startswith("_")))
            raise CustomCodeError(f"The module {module_name} holds no {name}, which {path} names.{guess}")
        found = getattr(found, part)
    return found


def construct(path: str, made: Callable[..., Any], arguments: Mapping[str, Any], *given: Any, **also: Any) -> Any:
    """Call what a path named.

    Args:
        path: to say what is meant.
        made: what it named.
        arguments: by name, from the settings.
        given: what Zorse gives, before them.
        also: what Zorse gives by name.

    Raises:
        CustomCodeError: it does not take these arguments, or fails.
    """
    try:
        signature = inspect.signature(made)
        signature.bind(*given, **arguments, **also)
    except (TypeError, ValueError) as error:
        raise CustomCodeError(_does_not_take(path, made, arguments, also, error)) from error
    try:
        return made(*given, **arguments, **also)
    except Exception as error:  # Whatever it does.
        raise CustomCodeError(f"{path} could not be made: {described(error)}.") from error


def _does_not_take(
    path: str, made: Callable[..., Any], arguments: Mapping[str, Any], also: Mapping[str, Any], error: Exception
) -> str:
    try:
        signature = inspect.signature(made)
    except (TypeError, ValueError):
        return f"{path} does not say which arguments it takes, so it cannot be made from settings."
    surplus = next((name for name in arguments if name not in signature.parameters), "")
    guess = did_you_mean(surplus, signature.parameters) if surplus else ""
    settings = ", ".join(arguments) or "none"
    from_zorse = f", Zorse gives {', '.join(also)}" if also else ""
    return (
        f"{path} does not take what the settings give it: {error}.{guess} It takes {signature}; the settings give "
        f"{settings}{from_zorse}."
    )


def described(error: BaseException) -> str:
    """An error of others in words, with the place in their code where it came from."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (in {frames[-1].filename}, line {frames[-1].lineno})" if frames else ""
    words = " ".join(str(error).split()).rstrip(".")
    return f"{type(error).__name__}{f': {words}' * bool(words)}{place}"
