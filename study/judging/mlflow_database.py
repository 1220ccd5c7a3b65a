"""The runs of an MLflow tracking database, by its tables: MLflow itself need not be installed."""

from typing import Any

import pandas as pd
import sqlalchemy

from study.errors import StudyError, first_line

NEEDED = {"experiments", "runs", "params", "latest_metrics"}


def read_mlflow_runs(address: str) -> pd.DataFrame | None:
    """One row a run that was not deleted; None where the database is not one of MLflow.

    Its columns are run, experiment, status, params.NAME and metrics.NAME, the last value of each.

    Raises:
        StudyError: the database cannot be opened.
    """
    try:
        engine = sqlalchemy.create_engine(address)
        with engine.connect() as connection:
            if not set(sqlalchemy.inspect(connection).get_table_names()) >= NEEDED:
                return None

            def table(words: str) -> pd.DataFrame:
                return pd.read_sql_query(sqlalchemy.text(words), connection)

            runs = table(
                "SELECT runs.run_uuid AS id, runs.name AS run, experiments.name AS experiment, "
                "runs.status AS status FROM runs JOIN experiments "
                "ON runs.experiment_id = experiments.experiment_id "
                "WHERE runs.lifecycle_stage = 'active' ORDER BY runs.start_time, runs.run_uuid"
            )
            params = table("SELECT run_uuid, key, value FROM params")
            metrics = table("SELECT run_uuid, key, value, is_nan FROM latest_metrics")
    except (sqlalchemy.exc.SQLAlchemyError, pd.errors.DatabaseError, ImportError) as error:
        raise StudyError(
            f"--judge must name a database that can be opened; {hide_password(address)} cannot "
            f"({first_line(error)})"
        ) from None
    metrics["value"] = metrics["value"].where(~metrics["is_nan"].astype(bool))
    wide = [spread(params, "params"), spread(metrics, "metrics")]
    for one in wide:
        runs = runs.merge(one, how="left", left_on="id", right_index=True)
    return runs.drop(columns="id").apply(as_numbers)


def hide_password(address: str) -> str:
    """The address without its password."""
    try:
        return sqlalchemy.make_url(address).render_as_string(hide_password=True)
    except sqlalchemy.exc.ArgumentError:
        return "the address"


def spread(rows: pd.DataFrame, prefix: str) -> pd.DataFrame:
    """Rows of key and value as a column a key, by run."""
    wide = rows.drop_duplicates(["run_uuid", "key"], keep="last").pivot(
        index="run_uuid", columns="key", values="value"
    )
    return wide.add_prefix(f"{prefix}.")


def as_numbers(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column of texts as numbers, if all of them are: MLflow keeps parameters as texts."""
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError):
        return column
