"""From options to requests for prices: which files are of which security, and lists of tickers as people keep them."""

from pathlib import Path

import pytest

from flows.cli.configuration import tickers
from flows.cli.options import PriceOptions
from model.config import PriceRequest
from model.errors import UsageError

KAGGLE = "date,open,high,low,close,volume,Name\n2020-01-30,1,1,1,1,5,KO\n2020-01-30,2,2,2,2,5,PEP\n"
PLAIN = "Date,Open,High,Low,Close\n2020-01-30,1,1,1,1\n"


def wanted(folder: Path, *names: str, ticker: tuple[str, ...] = ()) -> dict[str, list[str]]:
    for name in names:
        (folder / name).write_text(KAGGLE if name.startswith("all") else PLAIN, encoding="utf-8")
    files = [str(folder / name) for name in names] or [str(folder)]
    requests = PriceOptions(source="csv", prices=files, ticker=list(ticker)).requests()
    return {request.ticker: [Path(file).name for file in request.files] for request in requests}


@pytest.mark.parametrize(
    ("name", "ticker"),
    [
        ("KO.csv", "KO"),
        ("FB_training_data.csv", "FB"),
        ("FB_2012_2020.csv", "FB"),
        ("KO Historical Data.csv", "KO"),
        ("BTC-USD.csv", "BTC-USD"),
        ("SAP.DE.csv.gz", "SAP.DE"),
        ("ko.us.txt", "KO"),
        ("^GSPC.csv", "^GSPC"),
    ],
)
def test_without_a_ticker_it_is_the_one_in_the_files_name(name: str, ticker: str, tmp_path: Path) -> None:
    assert wanted(tmp_path, name) == {ticker: [name]}


@pytest.mark.parametrize("name", ["KETTLE_WORKS.csv", "prices.csv", "data.csv", "DATA.csv", "HistoricalData_17.csv"])
def test_a_name_that_says_no_ticker_asks_for_it(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither the file's name nor its contents give the ticker") as refused:
        wanted(tmp_path, name)
    assert refused.value.remedy == "add --ticker TICKER"


def test_a_file_of_several_asks_which(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prices of 2 securities: KO, PEP"):
        wanted(tmp_path, "all_stocks.csv")
    assert wanted(tmp_path, "all_stocks.csv", ticker=("PEP",)) == {"PEP": ["all_stocks.csv"]}
    both = wanted(tmp_path, "all_stocks.csv", ticker=("KO", "PEP"))
    assert both == {"KO": ["all_stocks.csv"], "PEP": ["all_stocks.csv"]}


def test_several_files_of_several_securities_are_told_apart_by_their_names(tmp_path: Path) -> None:
    given = wanted(tmp_path, "KO.csv", "PEP_old.csv", "PEP_new.csv", ticker=("KO", "PEP"))
    assert given == {"KO": ["KO.csv"], "PEP": ["PEP_old.csv", "PEP_new.csv"]}
    assert wanted(tmp_path, ticker=("KO", "PEP")) == {"KO": ["KO.csv"], "PEP": ["PEP_new.csv", "PEP_old.csv"]}
    assert wanted(tmp_path) == {"KO": ["KO.csv"], "PEP": ["PEP_new.csv", "PEP_old.csv"]}
    with pytest.raises(UsageError, match="--ticker MSFT: no file with this ticker in its name"):
        wanted(tmp_path, ticker=("KO", "MSFT"))


def test_with_one_ticker_all_files_are_its(tmp_path: Path) -> None:
    assert wanted(tmp_path, "old.csv", "new.csv", ticker=("KO",)) == {"KO": ["old.csv", "new.csv"]}


def test_columns_and_the_form_of_dates_reach_the_request(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.touch()
    (request,) = PriceOptions(
        source="csv", prices=[str(file)], ticker=["KO"], columns=["close=Price USD"], date_format="DD/MM/YYYY"
    ).requests()
    assert request == PriceRequest(
        ticker="KO", source="csv", files=(str(file),), columns=("close=Price USD",), date_format="DD/MM/YYYY"
    )
    for wrong, said in (({"columns": ["clse=x"]}, "--columns: .*clse"), ({"date_format": "YYYY"}, "--date-format")):
        with pytest.raises(UsageError, match=said):
            PriceOptions(source="csv", prices=[str(file)], ticker=["KO"], **wrong).requests()


@pytest.mark.parametrize(
    "text",
    [
        "KO\nBRK-B\nM&M.NS\n",
        "\ufeffKO\r\nBRK-B\r\nM&M.NS\r\n",
        "# mine\nTicker\nKO  # drinks\n\nBRK-B\nM&M.NS",
        "KO,BRK-B,M&M.NS\n",
        "KO;\nBRK-B;\nM&M.NS;\n",
        "Name,Symbol\nCoca-Cola,KO\nBerkshire,BRK-B\nMahindra,M&M.NS\n",
        "KO,Coca-Cola Company\nBRK-B,Berkshire\nM&M.NS,Mahindra\n",
    ],
)
def test_lists_of_tickers_as_people_keep_them(text: str, tmp_path: Path) -> None:
    file = tmp_path / "tickers.txt"
    file.write_text(text, encoding="utf-8")
    assert tickers((), str(file)) == ("KO", "BRK-B", "M&M.NS")
