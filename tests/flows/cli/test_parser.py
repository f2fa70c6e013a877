"""The command line: help, version, completion, misspelt names, and the same error for every wrong use."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperArgument, TyperCommand, TyperOption

from flows.cli.main import main
from flows.cli.options import TrainingOptions, horizons
from flows.cli.parser import COMMANDS, parser
from tests.project import ROOT

HEAVY = (
    *("keras", "tensorflow", "mlflow", "prefect", "pandas", "numpy", "sqlalchemy", "rich"),
    *("s3fs", "fsspec", "botocore"),
)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def loaded(*arguments: str) -> set[str]:
    """Which libraries a process has imported that runs one command line."""
    code = (
        f"import sys; from flows.cli.main import main; main({list(arguments)}); "
        "print(' '.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def output(*arguments: str, **variables: str) -> str:
    """What a process writes that runs one command line with these variables in its environment."""
    command, environment = [sys.executable, "-m", "flows.cli.main", *arguments], os.environ | variables
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout


def completed(words: str, at: int) -> list[str]:
    """What bash is offered for a line that is typed so far."""
    return output(_TOMORROW_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(at)).split()


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, command, "--help")
    assert code == 0
    assert f"tomorrow {command}" in out.partition("Example:")[2]
    assert "--json" in out
    assert said(capsys, command, "-h") == (0, out, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_option_says_what_it_is_for(command: str) -> None:
    context: Any = parser().commands[command].make_context(command, [], resilient_parsing=True)
    assert isinstance(context.command, TyperCommand)
    assert context.command.name == command
    for option in context.command.params:
        assert isinstance(option, TyperArgument | TyperOption)
        assert option.help, option.name
        assert option.help.endswith("."), option.help


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_is_a_command_line_that_is_understood(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    example = said(capsys, command, "--help")[1].partition("Example:")[2].strip()
    name, *arguments = shlex.split(example)[1:]
    assert name == command
    parser().commands[command].make_context(command, arguments)


def test_the_top_help_names_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "--help")
    assert (code, err) == (0, "")
    listed = out.partition("Commands:")[2].partition("Exit codes:")
    assert [line.split()[0] for line in listed[0].splitlines() if line[:3].strip()] == list(COMMANDS)
    assert [line.split()[0] for line in listed[2].splitlines() if line[4:5].isdigit()] == list("012345")


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert said(capsys, "--version") == (0, f"tomorrow {version}\n", "")


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [(("--help",), ()), (("--version",), ()), (("predict", "--help"), ("pydantic",))],
)
def test_help_loads_no_library_that_computes_or_orchestrates(
    arguments: tuple[str, ...], allowed: tuple[str, ...]
) -> None:
    found = loaded(*arguments)
    assert found & {*HEAVY, "pydantic", "yaml"} == set(allowed)


def test_the_shell_completes_commands_options_and_loads_little_for_it() -> None:
    assert completed("tomorrow p", 1) == ["presets", "promote", "predict", "prices"]
    assert completed("tomorrow predict --co", 2) == ["--columns", "--column"]


def test_the_completion_script_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.completion._get_shell_name", lambda: "bash")
    with pytest.raises(SystemExit) as ended:
        main(["--show-completion"])
    assert ended.value.code == 0
    assert "complete -o default -F _tomorrow_completion tomorrow" in capsys.readouterr().out


WRONG = {
    "a command that is misspelt": (("trian",), "`tomorrow`", "unknown command 'trian'. Did you mean 'train'?"),
    "an option before the command": (("--json", "status"), "`tomorrow`", "--json"),
    "an option that is misspelt": (
        ("train", "--epoch", "3"),
        "`tomorrow train`",
        "unknown option --epoch. Did you mean '--epochs'?",
    ),
    "an option that is cut short": (
        ("train", "--test-mo", "2020-01"),
        "`tomorrow train`",
        "Did you mean '--test-month'?",
    ),
    "an option without its value": (("train", "--epochs"), "`tomorrow train`", "--epochs"),
    "an option in place of a value": (
        ("promote", "META-Open", "1", "--reason", "--force"),
        "`tomorrow promote`",
        "'--reason' requires a value",
    ),
    "a flag with a value": (("train", "--again=yes"), "`tomorrow train`", "--again"),
    "no number": (("train", "--epochs", "3.0"), "`tomorrow train`", "'3.0' is not a whole number"),
    "no day": (("train", "--as-of", "20-1-1"), "`tomorrow train`", "'20-1-1' is not a day"),
    "an argument that is missing": (("promote", "META-Open"), "`tomorrow promote`", "VERSION is missing"),
    "an argument too many": (("status", "all"), "`tomorrow status`", "all: an argument too many"),
    "a ticker without its option": (("train", "META"), "`tomorrow train`", "META"),
    "a version that no database can hold": (("promote", "M", "99999999999"), "`tomorrow promote`", "1 or more"),
    "a version that is zero": (("approve", "M", "0"), "`tomorrow approve`", "1 or more"),
    "a version that is no number": (("approve", "META-Open", "x"), "`tomorrow approve`", "'x' is not a whole number"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_use_is_one_error_of_ours(mistake: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, subject, words = WRONG[mistake]
    code, out, err = said(capsys, *arguments)
    if "--json" not in arguments:
        assert (code, out) == (2, "")
        assert err.startswith(f"tomorrow: {subject}: ")
        assert err.count("\n") == 3
        assert words in err
    code, out, err = said(capsys, *arguments, "--json")
    assert (code, err) == (2, "")
    error = json.loads(out)["error"]
    assert (error["kind"], error["subject"]) == ("UsageError", subject)
    assert words in error["have"]
    assert {"message", "need", "remedy"} <= set(error)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("network.units=[1,2", "expected ',' or ']'"),
        ("network.units={", "expected the node content"),
        ("network.units=*units", "found undefined alias"),
        ("network.units=!!python/object:os.system x", "could not determine a constructor"),
        ("training.seed=2020-13-45", "no value"),
        ("training.seed=" + "[" * 5000, "no value"),
        ("training.seed=1e400", "training.seed"),
        ("training.seed=[[1]]", "training.seed"),
        ("=5", "no such key"),
        ("epochs=3", "Did you mean 'training.epochs'?"),
        ("training.epoch=3", "Did you mean 'training.epochs'?"),
        ("training.learning_rate=.inf", "training.learning_rate: inf\n  needed: a number that is not infinite"),
        ("training.epochs=0", "--epochs (training.epochs): 0\n  needed: 1 or more"),
        ("training.optimizer=Adam", "Did you mean 'adam'?\n  needed: one of 'adam', 'rmsprop' or 'sgd'"),
        ("training.epochs=many", "needed: a whole number"),
        ("network=5", "network"),
        ("trainin.epochs=3", "called 'trainin'. Did you mean 'training.epochs'?"),
        ("training.loss=pinball", "options that exclude each other: inputs level need training.loss"),
        ("network.units=many", "needed: a list, such as [32,32]"),
        ("horizon=1,5", "needed: a list, such as [1,5]"),
        ('series=[""]', "series.0: {'name': ''}\n  needed: a ticker or the title of a column as its name"),
        ("series=[1]", "series.0: 1\n  needed: a name, or {name: ^VIX, transformations: [level]}"),
        ("network..units=5", "no part of the configuration"),
        ("network.units", "no `=`"),
    ],
)
def test_a_part_of_the_configuration_that_cannot_be_is_wrong_use(
    text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--set", text]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert len(err) < 1000


def test_a_ticker_alone_is_told_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert "to do:  name a security with --ticker: tomorrow train --ticker META" in said(capsys, "train", "META")[2]
    assert "--ticker" not in said(capsys, "status", "META")[2]


def test_an_option_that_is_like_no_other_is_answered_with_no_guess(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Did you mean" not in said(capsys, "catchup", "--since", "3")[2]


def test_no_command_at_all_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys)
    assert (code, out) == (2, "")
    assert "no command is given" in err


def test_a_number_below_zero_is_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "clean", "--older-than", "-3")
    assert code == 2
    assert "--older-than: -3" in err


@pytest.mark.parametrize("days", ["36501", "99999999999999999999"])
def test_an_age_in_days_ends_within_the_calendar(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "clean", "--older-than", days)
    assert (code, out) == (2, "")
    assert "36500 at most" in err


def test_a_number_of_processes_that_no_machine_can_hold_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "backtest", "--source", "sample", "--jobs", "99999999")
    assert code == 2
    assert "at most" in err


def test_an_argument_that_is_no_text_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "history", "META-\udcff")
    assert (code, out) == (2, "")
    assert "UTF-8" in err
    err.encode()


def test_what_is_repeated_counts_last_or_together() -> None:
    arguments = ["--ticker", "A", "--epochs", "2", "--ticker=B", "--epochs", "3", "--set=a=1", "--set", "b=2"]
    values = parser().commands["train"].make_context("train", arguments).params
    assert (values["ticker"], values["epochs"], values["assignments"]) == (["A", "B"], 3, ["a=1", "b=2"])


def test_no_colour_and_no_broken_line_leave_the_terminal(home: Path) -> None:
    shown = output("status", TOMORROW_HOME=str(home), FORCE_COLOR="1", COLUMNS="20")
    assert "\x1b" not in shown
    assert "  does not run; start it with: tomorrow up" in shown.splitlines()


@pytest.mark.parametrize(("text", "found"), [("5", (1, 5)), ("1,5", (1, 5)), ("21, 5", (1, 5, 21)), ("1", (1,))])
def test_sessions_ahead_are_put_in_order_and_the_next_one_goes_without_saying(
    text: str, found: tuple[int, ...]
) -> None:
    assert TrainingOptions(horizon=horizons(text)).forecaster("anchored").horizon == found
    assert TrainingOptions().forecaster("anchored").horizon == (1,)


@pytest.mark.parametrize("text", ["", "0", "22", "1;5", "week", "1.5", "-1"])
def test_what_is_no_list_of_sessions_ahead_is_said(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "train", "--horizon", text)
    assert code == 2
    assert "no list of sessions ahead from 1 to 21, such as 1,5" in " ".join(err.split())


@pytest.mark.parametrize("text", ["[5,1]", "[5]", "[1,22]", "[1,5,5]", "[]"])
def test_horizons_of_a_configuration_that_are_none_are_said_by_themselves(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "train", "--preset", "anchored", "--set", f"horizon={text}")
    assert code == 2
    assert "exclude each other" not in err
    assert "--horizon: [" in err
    assert "needed: sessions ahead in ascending order from 1 to at most 21, 1 among them" in " ".join(err.split())
