"""What is to be run: every method with its size, or the reason for which it cannot be run."""
from __future__ import annotations

from dataclasses import dataclass

from ..backbone import Backbone
from ..budget import sized
from ..errors import BudgetError, TransducerError, UnknownNameError
from ..methods import method_class, parse_specification, without_budget
from .settings import CompareSettings


@dataclass(frozen=True)
class PlannedMethod:
    """A method of a comparison.

    Attributes:
        method: as it was asked for.
        base: its specification without a size from a budget.
        specification: what is built where nothing is tuned.
        budget: trainable parameters that it may have; None: any number.
        parameters: trainable parameters that it has; None where it cannot be run.
        reason: why it cannot be run, or "".
    """

    method: str
    base: str
    specification: str
    budget: int | None
    parameters: int | None
    remark: str
    reason: str = ""

    def to_dict(self) -> dict:
        return {"method": self.method, "specification": self.specification, "trainable_parameters": self.parameters,
                "remark": self.remark, "reason": self.reason}


def plan_methods(settings: CompareSettings, backbone: Backbone) -> list[PlannedMethod]:
    """The methods of a comparison in their order. Cost: builds each a few times without weights.

    Raises:
        UnknownNameError, ConfigurationError: a wrong specification.
        BudgetError: no method at all is within its budget; the message names the smallest size.
    """
    budget = settings.parameter_budget()
    planned, misfits = [], []
    for label in settings.labels():
        base, own_budget = without_budget(label)
        allowed = own_budget or budget
        kind = method_class(base)
        remark = kind.remark
        # What is wrong with the specification itself is an error; what a backbone cannot do is a reason to skip the method.
        kind.make_settings(parse_specification(base)[1], settings.transducer_settings())
        try:
            specification, count = sized(base, allowed, backbone, settings.transducer_settings())
        except BudgetError as error:
            misfits.append(error)
            planned.append(PlannedMethod(label, base, base, allowed, None, remark, str(error)))
        except UnknownNameError:
            raise
        except Exception as error:
            # Also whatever a library says about a backbone that it cannot work with.
            kind_of_error = "" if isinstance(error, TransducerError) else f"{type(error).__name__}: "
            reason = f"cannot be built on {backbone.name}: {kind_of_error}{' '.join(str(error).split())}"
            planned.append(PlannedMethod(label, base, base, allowed, None, remark, reason))
        else:
            planned.append(PlannedMethod(label, base, specification, allowed, count, remark))
    if len(misfits) == len(planned):
        raise min(misfits, key=lambda error: error.smallest)
    return planned
