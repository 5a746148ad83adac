"""The front door: every public name is there, and nothing heavy is imported for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kl_drift as kd
from kl_drift import errors

pytestmark = pytest.mark.slow  # each test starts a process

HEAVY = (
    "numpy", "pandas", "pyarrow", "scipy", "pydantic", "yaml", "rich", "typer", "sqlalchemy",
    "great_expectations",
)  # fmt: skip


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import kl_drift",
        "import kl_drift; kl_drift.__all__, dir(kl_drift), kl_drift.__version__",
        "from kl_drift import Snapshot, KLDriftError, Profile, merge, Policy, Status",
    ],
)
def test_importing_the_front_door_imports_nothing_heavy(code: str) -> None:
    assert not modules_after(code) & set(HEAVY)


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("kl_drift.cli", {"numpy", "pandas", "pyarrow", "scipy", "pydantic", "sqlalchemy"}),
        ("kl_drift.render.html", {"pandas", "scipy", "altair", "vl_convert", "jinja2"}),
        ("kl_drift.api", {"pandas", "scipy", "altair", "sqlalchemy"}),
    ],
)
def test_doors_load_what_is_heavy_only_when_it_is_used(module: str, heavy: set[str]) -> None:
    assert not modules_after(f"import {module}") & heavy


def test_pandas_is_not_loaded_by_a_comparison_of_files() -> None:
    flights = Path(__file__).parent.parent / "examples" / "flights"
    january, february = (str(flights / f"month=2013-0{month}") for month in (1, 2))
    code = f"import kl_drift as kd; kd.compare({february!r}, {january!r})"
    assert "pandas" not in modules_after(code)


@pytest.mark.parametrize("name", kd.__all__)
def test_every_public_name_can_be_had(name: str) -> None:
    assert getattr(kd, name) is not None


def test_the_list_of_names_is_the_living_one() -> None:
    assert set(kd.__all__) == {*kd._HOME, *kd._MODULES, "__version__"}
    assert dir(kd) == kd.__all__


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"kl_drift has no 'kl_divergance'\. Did you mean"):
        kd.kl_divergance  # noqa: B018 - the attribute access is the test


def test_every_error_is_a_kl_drift_error_and_stands_in_the_drawn_tree() -> None:
    assert errors.__doc__ is not None
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    raised = [each for each in found if issubclass(each, Exception)]
    assert len(raised) > 10
    for each in raised:
        assert issubclass(each, errors.KLDriftError)
        assert each.__name__ in errors.__doc__


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.SnapshotNotFoundError, FileNotFoundError),
        (errors.SnapshotUnreadableError, OSError),
        (errors.ColumnNotFoundError, LookupError),
        (errors.ColumnTypeError, TypeError),
        (errors.BinsMismatchError, ValueError),
        (errors.ArtefactCorruptError, ValueError),
        (errors.PlanError, ValueError),
        (errors.MissingExtraError, ImportError),
    ],
)
def test_each_error_is_also_the_closest_builtin(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, builtin)


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert kd.__version__ == version("kl-drift")
