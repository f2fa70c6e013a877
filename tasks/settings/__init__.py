"""mlflow.yaml and the environment, as settings; the only reader of either."""

from tasks.settings.read import masked, project_file, project_folder, read_settings, shown, webhook_address
from tasks.settings.schema import (
    AlarmKind,
    AlarmSettings,
    HousekeepingSettings,
    PriceSettings,
    RetrySettings,
    SecuritySettings,
    ServerSettings,
    Settings,
    Stage,
    TrackingSettings,
)

__all__ = [
    "AlarmKind",
    "AlarmSettings",
    "HousekeepingSettings",
    "PriceSettings",
    "RetrySettings",
    "SecuritySettings",
    "ServerSettings",
    "Settings",
    "Stage",
    "TrackingSettings",
    "masked",
    "project_file",
    "project_folder",
    "read_settings",
    "shown",
    "webhook_address",
]
