"""The trials of any Optuna database as a table."""

import optuna
import pandas as pd
from optuna.exceptions import OptunaError
from sqlalchemy.exc import SQLAlchemyError

from study.errors import StudyError

FAILURES = (OptunaError, SQLAlchemyError, RuntimeError, ImportError, KeyError, ValueError)


def read_optuna_trials(address: str) -> pd.DataFrame:
    """One row a trial: study, number, value, params_NAME, user_attrs_NAME and state.

    Raises:
        StudyError: the database is none of Optuna, or holds no study.
    """
    rule = "--judge must name a database of MLflow or Optuna"
    try:
        storage = optuna.storages.RDBStorage(address, skip_table_creation=True)
        names = optuna.get_all_study_names(storage)
        frames, directions = [], set()
        for name in names:
            study = optuna.load_study(study_name=name, storage=storage)
            frame = study.trials_dataframe(("number", "value", "params", "user_attrs", "state"))
            frames.append(frame.assign(study=name))
            directions.add(study.direction)
    except FAILURES as error:
        if isinstance(error, SQLAlchemyError | OptunaError):  # a table that they know is not there
            raise StudyError(f"{rule}; what it names has the tables of neither") from None
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise StudyError(f"{rule}; what it names is none ({reason})") from None
    if not frames:
        raise StudyError(f"{rule} with runs; this one holds no study")
    table = pd.concat(frames, ignore_index=True)
    if len(directions) == 1:
        table.attrs["higher"] = {"value": directions == {optuna.study.StudyDirection.MAXIMIZE}}
    return table
