"""What a person has mistyped is said in a moment: before Prefect and MLflow are imported, and without a flow run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from flows.cli.main import main
code = main(sys.argv[1:])
print(json.dumps([code, [name for name in ("prefect", "mlflow", "keras") if name in sys.modules]]))
"""


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("promote SAMPLE-Open 1 --force", 2, "--force: no reason"),
        ("promote SAMPLE-Opne 1", 2, "model 'SAMPLE-Opne': not registered"),
        ("promote SAMPLE-Open 9 --to staging", 2, "version 9 of SAMPLE-Open: no such version"),
        ("promote SAMPLE-Open 1 --to prod", 2, "stage 'prod': no stage of that name"),
        ("approve SAMPLE-Open 1", 2, "it does not wait for approval: its decision is 'refused'"),
        ("reject SAMPLE-Open 9 --reason why", 2, "no such version"),
        ("figures SAMPLE-Opne", 2, "model 'SAMPLE-Opne': not registered"),
        ("figures SAMPLE-Open 9", 2, "version 9 of SAMPLE-Open: no such version"),
        ("figures SAMPLE-Open 0", 2, "'0' is not a version's number"),
        ("figures SAMPLE-Open 99999999999999999999", 2, "is not a version's number"),
        ("rollback SAMPLE-Open", 2, "rollback of SAMPLE-Open: no reason"),
        ("rollback SAMPLE-Opne --reason why", 5, "model 'SAMPLE-Opne': not registered"),
        ("predict --ticker KO", 5, "KO-Open: no version is in Production"),
        ("train --source csv --prices KO.csv --ticker KO", 3, "KO.csv: no such file"),
        ("predict --source csv --prices KO.csv --ticker KO", 3, "KO.csv: no such file"),
        ("backtest --source csv --prices KO.csv", 3, "KO.csv: no such file"),
        ("train --as-of 2999-01-01", 2, "--as-of 2999-01-01: a day in the future"),
        ("train --source sample --ticker META", 2, "--source sample, whose only security is the synthetic SAMPLE"),
        ("up --source sample --ticker META", 2, "--source sample, whose only security is the synthetic SAMPLE"),
        ("backtest --source csv --prices mine.csv", 3, "mine.csv: no such file"),
        ("backtest --from 2020-05 --to 2020-01", 2, "--to 2020-01: the first month is after the last one"),
        ("train --preset anchord", 2, "preset 'anchord': no preset of that name"),
        ("train --preset gone.yaml", 2, "gone.yaml: no such file"),
        ("backtest --presets anchored,gone.yaml", 2, "gone.yaml: no such file"),
        ("tune --preset tutorial", 2, "preset 'tutorial': it forecasts the price's level"),
        ("tune --trials 1", 2, "--trials: 1"),
        ("tune --ticker KO --ticker META", 2, "--ticker: 2 securities"),
        ("presets anchord", 2, "preset 'anchord': no preset of that name. Did you mean 'anchored'?"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(
    home: Path, tmp_path: Path, command: str, code: int, said: str
) -> None:
    environment = {**os.environ, "TOMORROW_HOME": str(home)}
    arguments = [sys.executable, "-c", PROGRAM, *command.split()]
    done = subprocess.run(arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [code, []], done.stderr
    assert said in done.stderr
