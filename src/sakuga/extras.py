"""Optional packages: looked for before a verb starts, so that it does not fail half-way."""

from __future__ import annotations

from importlib.util import find_spec

from sakuga.errors import MissingExtraError


def need(verb: str, extra: str, *modules: str) -> None:
    """Check, without importing them, that a verb's optional packages are installed.

    Args:
        verb: what was asked for, as the user wrote it ("sakuga train").
        extra: the name of the extra that brings the packages.
        modules: the names under which they are imported.

    Raises:
        MissingExtraError: naming the first that is not there.
    """
    for module in modules:
        if find_spec(module) is None:
            raise MissingExtraError(verb, extra, module)
