"""The expectations: their fields, what they ask of a batch, and when they are judged.

Knows Great Expectations' classes and their ways. Has never heard of how rows are counted, of how a
divergence is computed or judged, or of how a result is drawn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from great_expectations.compatibility import pydantic
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.suite_parameters import is_suite_parameter
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.row_conditions import RowConditionType
from great_expectations.validator.metric_configuration import MetricConfiguration

from kl_drift.artefact import profile_from_dict
from kl_drift.errors import KLDriftError, UsageError
from kl_drift.gx.metrics import PROFILE_METRIC
from kl_drift.gx.reference import load_reference
from kl_drift.gx.rendering import Rendered
from kl_drift.gx.verdict import Terms, failed, judged, policy_of, policy_to_dict, threshold_policy
from kl_drift.judging.policy import Policy, Statistic

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.validator.validator import ValidationDependencies

_LIMITS = ("threshold", "policy", "plan")

Parameter: TypeAlias = dict[str, Any]
"""A suite parameter, ``{"$PARAMETER": name}``, which the run replaces by its value."""


class KLDriftExpectation(Rendered, BatchExpectation, ABC):
    """What both expectations have in common; see :class:`ExpectColumnKLDriftToBeLessThan`."""

    reference: str | Parameter = pydantic.Field(
        description="Path or URI of a saved kl-drift profile (….json), or of a snapshot."
    )
    threshold: float | Parameter | None = pydantic.Field(
        default=None, description="The limit in nats, alone: above it is a drift."
    )
    policy: dict[str, Any] | None = pydantic.Field(
        default=None, description="The limits, as the keys of kl_drift.Policy."
    )
    plan: str | Parameter | None = pydantic.Field(
        default=None, description="A plan, for its limits, smoothing and learned limits."
    )
    plan_values: dict[str, Any] | None = pydantic.Field(
        default=None, description="What {{ name }} stands for in the plan."
    )
    statistic: Statistic | Parameter | None = pydantic.Field(
        default=None, description="Of what the limits are; kl, or what the policy or the plan says."
    )
    smoothing: str | dict[str, Any] | None = pydantic.Field(
        default=None, description="How counts become probabilities; jeffreys, or the plan's."
    )
    as_of: str | Parameter | None = pydantic.Field(
        default=None, description="The moment the batch stands for, ISO 8601; ages need it."
    )
    accept_undecided: bool | Parameter = pydantic.Field(
        default=False, description="Whether too few rows to tell count as success."
    )
    row_condition: RowConditionType = None
    condition_parser: str | None = None

    domain_keys: ClassVar[tuple[str, ...]] = ("batch_id", "row_condition", "condition_parser")
    success_keys: ClassVar[tuple[str, ...]] = (
        "reference", *_LIMITS, "plan_values", "statistic", "smoothing", "as_of", "accept_undecided",
    )  # fmt: skip

    _told: dict[str, Any] | None = pydantic.PrivateAttr(default=None)

    @pydantic.validator("reference", "plan", pre=True)
    @classmethod
    def _as_text(cls, path: object) -> object:
        return fspath(path) if isinstance(path, PathLike) else path

    @pydantic.validator("threshold", pre=True)
    @classmethod
    def _as_number(cls, threshold: object) -> object:
        if isinstance(threshold, bool):  # which pydantic would take for 1
            raise UsageError(f"threshold: expected a number of nats above 0, got {threshold!r}")
        return threshold

    @pydantic.validator("policy", pre=True)
    @classmethod
    def _as_mapping(cls, policy: object) -> object:
        return policy_to_dict(policy) if isinstance(policy, Policy) else policy

    @pydantic.root_validator(skip_on_failure=True)
    @classmethod
    def _refuse_mistakes(cls, values: dict[str, Any]) -> dict[str, Any]:
        stated = [name for name in _LIMITS if values.get(name) is not None]
        if len(stated) > 1:
            raise UsageError(f"{' and '.join(stated)} are stated; state one of them")
        threshold, policy = values.get("threshold"), values.get("policy")
        if threshold is not None and not isinstance(threshold, dict):
            threshold_policy(threshold)
        if policy is not None and not _varies(policy):
            policy_of(policy)
        return values

    @abstractmethod
    def _judged_columns(self) -> list[str] | None:
        """Return the names of the columns to judge; ``None`` for all."""

    def _counted_columns(self) -> list[str] | None:
        """Return the names of the columns to count."""
        return self._judged_columns()

    def get_validation_dependencies(
        self,
        execution_engine: Any = None,
        runtime_configuration: dict[str, Any] | None = None,
    ) -> ValidationDependencies:
        """Ask for the batch's profile, unless there is nothing to count it like."""
        dependencies = super().get_validation_dependencies(execution_engine, runtime_configuration)
        try:
            load_reference(str(self.reference), self._counted_columns())
        except Exception:  # noqa: BLE001 - here it would abort the suite; _validate raises it again
            return dependencies
        dependencies.set_metric_configuration(
            metric_name=PROFILE_METRIC,
            metric_configuration=MetricConfiguration(
                metric_name=PROFILE_METRIC,
                metric_domain_kwargs=self._get_domain_kwargs(),
                metric_value_kwargs={
                    "reference": self.reference,
                    "columns": self._counted_columns(),
                    "as_of": self.as_of,
                },
            ),
        )
        return dependencies

    def _validate(
        self,
        metrics: Mapping[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
    ) -> dict[str, Any]:
        try:
            answer = self._judge(metrics)
        except (KLDriftError, OSError) as error:
            answer = failed(error)
        self._told = answer["result"]
        return answer

    def _judge(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        terms = Terms.of(self.dict())
        reference = load_reference(str(self.reference), self._counted_columns())
        current = profile_from_dict(metrics[PROFILE_METRIC])
        return judged(current, reference, terms, self._judged_columns())

    def metrics_validate(
        self,
        metrics: dict[Any, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: Any = None,
        **kwargs: Any,
    ) -> ExpectationValidationResult:
        """Judge the batch, and keep the numbers where BOOLEAN_ONLY would drop them."""
        result = super().metrics_validate(
            metrics, runtime_configuration, execution_engine, **kwargs
        )
        if self._told is not None:
            result.result = self._told
        return result


def _varies(policy: object) -> bool:
    """Say whether suite parameters stand in a policy, so that it is not known yet."""
    if not isinstance(policy, dict):
        return False
    return is_suite_parameter(policy) or any(_varies(each) for each in policy.values())


class ExpectColumnKLDriftToBeLessThan(KLDriftExpectation):
    """Expect that a column has not drifted from a reference beyond a limit.

    The verdict is kl-drift's: exact counts over the reference's bins, KL(current‖reference) in nats
    with an interval, the noise floor of these numbers of rows, a limit for nulls, and ``undecided``
    where nobody can tell, which is no success unless ``accept_undecided``. The numbers stand in
    ``result["details"]``, in every result format.

    Parameters
    ----------
    column : str
        The column, as the reference calls it (``hour(departure)`` for a derived one).
    reference : str or path
        A saved profile (``….json``) or a snapshot, which is fitted once per process.
    threshold : float, optional
        The limit in nats: above it is a drift, below it success.
    policy : Policy or dict, optional
        The limits, instead of ``threshold``: see :class:`kl_drift.Policy`.
    plan : str or path, optional
        A plan for the limits, the smoothing and the learned limits, instead of the two.
    plan_values : dict, optional
        What ``{{ name }}`` stands for in the plan.
    statistic : {"kl", "reverse", "jeffreys", "jensen_shannon"}, optional
        Of what the limits are; ``kl``, or what the policy or the plan says.
    smoothing : str or dict, optional
        How counts become probabilities; ``jeffreys``, or what the plan says.
    as_of : str, optional
        The moment the batch stands for, ISO 8601; ages are counted from it.
    accept_undecided : bool
        Whether too few rows to tell count as success.
    row_condition : Condition, optional
        Which rows of the batch are counted.
    together : bool
        Count all columns of the reference in one pass, which all expectations of the suite that
        say so share; :func:`kl_drift.gx.suite` does.
    severity : {"critical", "warning", "info"}
        For actions; and ``meta``, ``notes``, ``description``, as of any expectation.
    """

    column: pydantic.StrictStr = pydantic.Field(min_length=1, description="The column.")
    together: bool = pydantic.Field(
        default=False, description="Count all columns of the reference in one pass."
    )

    domain_type: ClassVar[MetricDomainTypes] = MetricDomainTypes.COLUMN
    success_keys: ClassVar[tuple[str, ...]] = (*KLDriftExpectation.success_keys, "together")
    args_keys: ClassVar[tuple[str, ...]] = ("column", "reference", "threshold")

    def _judged_columns(self) -> list[str] | None:
        return [str(self.column)]

    def _counted_columns(self) -> list[str] | None:
        return None if self.together else self._judged_columns()


class ExpectTableKLDriftToBeLessThan(KLDriftExpectation):
    """Expect that no column of a table has drifted from a reference beyond its limit.

    One query, one job or one scan for all columns. The parameters are those of
    :class:`ExpectColumnKLDriftToBeLessThan`, and instead of ``column``:

    Parameters
    ----------
    columns : list of str, optional
        The columns to judge, as the reference calls them; by default all that it judges. Then a
        column that the reference does not have is a warning.
    """

    columns: list[str] | Parameter | None = pydantic.Field(
        default=None, description="The columns to judge; all of the reference by default."
    )

    success_keys: ClassVar[tuple[str, ...]] = ("columns", *KLDriftExpectation.success_keys)
    args_keys: ClassVar[tuple[str, ...]] = ("reference", "threshold", "columns")

    @pydantic.validator("columns")
    @classmethod
    def _refuse_none(cls, columns: list[str] | Parameter | None) -> list[str] | Parameter | None:
        if columns == []:
            raise UsageError("columns: expected some names, got none; leave it out to judge all")
        return columns

    def _judged_columns(self) -> list[str] | None:
        return list(self.columns) if self.columns else None
