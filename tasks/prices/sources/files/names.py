"""The names of columns in exports of prices, and the role that each stands for."""

import functools
import re
import unicodedata
from collections.abc import Mapping
from typing import Literal

Role = Literal["Date", "Time", "Open", "High", "Low", "Close", "Adj Close", "Volume", "Ticker", "Splits"]

PRICES: tuple[Role, ...] = ("Open", "High", "Low", "Close")
NEEDED: tuple[Role, ...] = ("Date", *PRICES)
NUMBERS: tuple[Role, ...] = (*PRICES, "Adj Close", "Volume")

# Role -> its names; where a file has several of them, the first in this list is taken: a Close before a Price. In
# English and the languages of Investing.com and the larger exchanges.
_NAMES: Mapping[Role, str] = {
    "Date": "date, exchange date, observation date, trade date, trading date, trading day, price date, business "
    "date, session, datetime, date time, date utc, datum, fecha, data, 日期, 日付, 日付け, 날짜, 交易日期, дата, "
    "tarih, day, timestamp, gmt time, local time, open time, time open, window start, time, unix, unix timestamp, "
    "epoch, index, dt, t",
    "Time": "time, heure, zeit, uhrzeit, hora",
    "Open": "open, open price, opening price, opening, price open, eröffnung, eröffn, eröffnungskurs, erster, "
    "ouverture, ouv, apertura, abertura, openen, otwarcie, açiliş, 始値, 开盘, 開盤, 开盘价, 開盤價, 시가, откр, px "
    "open, o",
    "High": "high, high price, highest, highest price, day high, price high, max, hoch, tageshoch, plus haut, haut, "
    "máximo, máxima, máx, massimo, hoog, najwyższy, yüksek, 高値, 高, 最高, 最高价, 最高價, 고가, макс, px high, h",
    "Low": "low, low price, lowest, lowest price, day low, price low, min, tief, tagestief, plus bas, bas, mínimo, "
    "mínima, mín, minimo, laag, najniższy, düşük, 安値, 低, 最低, 最低价, 最低價, 저가, мин, px low, l",
    "Close": "close, close price, closing price, close last, closing, close price adjusted for splits, close close "
    "price adjusted for splits, price close, schluss, schlusskurs, clôture, clôt, fermeture, cierre, chiusura, "
    "zamknięcie, fechamento, slot, 終値, 收盘, 收盤, 收盘价, 收盤價, 종가, last price, last, last traded price, "
    "ltp, settle, settlement, zuletzt, letzter, dernier, último, ultimo, laatste, ostatnio, şimdi, цена, px last, "
    "latest, close last price, price, c",
    "Adj Close": "adj close, adjusted close, adj close price, adjusted closing price, adjusted close price, adjusted, "
    "close adj, close adjusted, adj close adjusted close price adjusted for splits and dividend and or "
    "capital gain distributions, 調整後終値, 调整后收盘价",
    "Volume": "number of shares, stück, stücke, stuecke, umsatz stück, umsatz in stück, volume, vol, total volume, "
    "traded volume, trade volume, total traded quantity, total trade quantity, ttl trd qnty, tottrdqty, shares "
    "traded, no of shares, quantity, volumen, volumes, volúmenes, umsatz, omzet, wolumen, wol, hac, hacim, px "
    "volume, 出来高, 交易量, 成交量, 거래량, объём, объем, tick volume, tickvol, v",
    "Ticker": "ticker, symbol, ticker symbol, stock symbol, symbols, tickers, tic, act symbol, code, stock, "
    "instrument, security, name",
    "Splits": "split ratio, split factor, split coefficient, stock splits, splits, split",
}

# Names of columns that may hold a company's name instead of a ticker.
LOOSE_TICKERS = ("name", "stock", "security", "instrument", "code")

_NOTES = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NUMBERED = re.compile(r"^\d+\.\s+")
_CURRENCY = re.compile(r"[\s_](?:USD|EUR|GBP|GBX|JPY|CHF|CAD|AUD|INR|CNY|HKD|USDT|BTC)$")
_TUPLE = re.compile(r"""^\(\s*['"]([^'"]*)['"]\s*,\s*['"]([^'"]*)['"]\s*\)$""")
_PARTS = re.compile(r"[\s._:|/-]+")
_TICKER = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=&_:/-]{0,29}")


@functools.lru_cache(maxsize=4096)  # each cell of a table's first rows may be a name
def plain(name: str) -> str:
    """A name without the things in which exports differ: case, accents, spaces, signs, text in brackets."""
    bare = _NUMBERED.sub("", _NOTES.sub("", name)) or name
    letters = unicodedata.normalize("NFKD", bare.casefold().replace("\u0131", "i"))  # Turkish writes i without a dot
    return "".join(letter for letter in letters if letter.isalnum())


def _ranks() -> dict[str, tuple[tuple[Role, int], ...]]:
    """Plain name -> the roles that it may have, each with its rank in the list above."""
    found: dict[str, tuple[tuple[Role, int], ...]] = {}
    for role, names in _NAMES.items():
        for rank, word in enumerate(dict.fromkeys(map(plain, names.split(",")))):
            found[word] = (*found.get(word, ()), (role, rank))
    return found


_RANKS = _ranks()


def roles(name: str) -> tuple[tuple[Role, int], ...]:
    """The roles that a column of that name may have, each with its rank; the lowest rank is preferred."""
    word = plain(name)
    found = _RANKS.get(word) or _RANKS.get(plain(_CURRENCY.sub("", name.strip())), ())
    if not found and word.startswith("volume"):  # as in `Volume BTC` and `Volume USD`
        return (("Volume", 100),)
    return found


def has_role(name: str, *wanted: Role) -> bool:
    """Whether a column of that name may have one of these roles."""
    return any(role in wanted for role, _ in roles(name))


def is_ticker(text: str) -> bool:
    """Whether a text can be a ticker in a header."""
    return bool(_TICKER.fullmatch(text)) and any(letter.isalpha() for letter in text) and not roles(text)


def with_ticker(name: str) -> tuple[str, str] | None:
    """Name and ticker of a column such as `AAPL.Close`, `Close_KO` or `('Close', 'KO')`; None for any other."""
    if (pair := _TUPLE.match(name)) is not None:
        first, second = pair.groups()
        return (first, second) if has_role(first, *NUMBERS) else (second, first) if has_role(second, *NUMBERS) else None
    for found in _PARTS.finditer(name):
        before, after = name[: found.start()], name[found.end() :]
        for field, ticker in ((after, before), (before, after)):
            if has_role(field, *NUMBERS) and is_ticker(ticker):
                return field, ticker
    return None
