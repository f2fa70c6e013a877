"""What every section of mlflow.yaml has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section of mlflow.yaml; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
