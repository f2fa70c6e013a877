"""The settings, from mlflow.yaml and environment variables; only this package reads them."""

from tasks.settings.address import Address, in_folder, sqlite_file
from tasks.settings.operations import (
    MOST_DAYS,
    AlarmKind,
    AlarmSettings,
    HousekeepingSettings,
    MailSettings,
    ReportSettings,
)
from tasks.settings.read import (
    mail_password,
    part_credentials,
    project_file,
    project_folder,
    read_settings,
    use_settings,
    webhook_address,
)
from tasks.settings.schema import (
    PriceSettings,
    RetrySettings,
    SecuritySettings,
    ServerSettings,
    ServingSettings,
    Settings,
    Stage,
    TrackingSettings,
    check_cluster,
)

__all__ = [
    "MOST_DAYS",
    "Address",
    "AlarmKind",
    "AlarmSettings",
    "HousekeepingSettings",
    "MailSettings",
    "PriceSettings",
    "ReportSettings",
    "RetrySettings",
    "SecuritySettings",
    "ServerSettings",
    "ServingSettings",
    "Settings",
    "Stage",
    "TrackingSettings",
    "check_cluster",
    "in_folder",
    "mail_password",
    "part_credentials",
    "project_file",
    "project_folder",
    "read_settings",
    "sqlite_file",
    "use_settings",
    "webhook_address",
]
