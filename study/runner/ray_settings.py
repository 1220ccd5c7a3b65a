"""What must stand in the environment before Ray is imported."""

import os

SETTINGS = {
    "RAY_AIR_NEW_OUTPUT": "0",  # else Tune prints tables of its own
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # records.jsonl serves
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Tune's would cut epochs short
    "TUNE_MAX_PENDING_TRIALS_PG": "64",  # how many run at once is decided by study.runner_cluster.Places
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",  # a report of several workers waits for the next check
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "60",
    "RAY_TRAIN_ENABLE_STATE_TRACKING": "1",  # the dashboard's Train page
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
ONLY_HERE = {
    "RAY_AUTH_MODE": "token",  # a cluster has its own mode, and a driver of another one is not refused but breaks
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # Ray then takes 127.0.0.1 for this machine's address, and all of it listens there alone
    "RAY_gcs_rpc_server_reconnect_timeout_s": "15",  # when Ray's own processes are killed the study ends soon after; Ray would wait a minute
    "GLOO_SOCKET_IFNAME": "lo",  # torch's workers likewise, where a machine's name leads elsewhere
}
PASSED_ON = [
    name for name in SETTINGS if name.startswith(("RAY_TRAIN", "RAY_ACCEL"))
]  # to the nodes of a cluster


def settle(address: str) -> None:
    """Sets what the user has not set; for a Ray of this machine alone also that nothing listens beyond loopback."""
    for name, value in {**SETTINGS, **({} if address else ONLY_HERE)}.items():
        os.environ.setdefault(name, value)
