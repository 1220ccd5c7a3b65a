"""Ray's settings by environment variable, as seen with Ray 2.60; set before Ray is imported."""

import os
import sys

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # else Tune prints tables of its own
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # records.jsonl has the results
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's handler would cut epochs short
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # `cluster.TrialSlots` decides how many run at once
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # Ray imports MLflow where that is installed
    # a report of several workers waits for the next health check
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "60",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # the dashboard's Train page
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
LOCAL_SETTINGS = {
    # a cluster has its own mode, and a driver of another mode breaks without a clear message
    "RAY_AUTH_MODE": "token",
    # Ray then takes 127.0.0.1 for this machine's address, and every socket listens there alone
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # when Ray's own processes are killed the study ends soon after; the default is a minute
    "RAY_gcs_rpc_server_reconnect_timeout_s": "15",
    # the same for torch's workers, where the machine's name resolves to another address
    "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
}
NODE_SETTINGS = [name for name in SETTINGS if name.startswith(("RAY_TRAIN", "RAY_ACCEL"))]


def configure_ray_environment(address: str) -> None:
    """Set Ray's defaults; existing environment variables win.

    Args:
        address: of a cluster; empty: a Ray of this machine, where all sockets listen on loopback.
    """
    settings = SETTINGS if address else {**SETTINGS, **LOCAL_SETTINGS}
    for name, value in settings.items():
        os.environ.setdefault(name, value)
