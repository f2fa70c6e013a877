"""Yahoo's codes and endings for exchanges, and the calendars of these exchanges."""

from model.market.calendar import OBSERVED

# Calendar of exchange_calendars -> the values of `exchangeName` in Yahoo's charts. Exchanges of one country with the
# same days share a calendar. For an exchange that is not listed, the sessions are the days that have prices.
_EXCHANGES = {
    "XNYS": "NMS NGM NCM NYQ NYS ASE NAE PCX BTS CXI OEM OQB OQX PNK YHD SNP DJI NIM WCB CBOE CGI NAS",
    "XTSE": "TOR VAN CNQ NEO",
    "XMEX": "MEX",
    "BVMF": "SAO",
    "XBUE": "BUE",
    "XSGO": "SGO",
    "XLON": "LSE IOB AQS CXE FGI FSI",
    "XDUB": "ISE",
    "XPAR": "PAR ENX",
    "XAMS": "AMS",
    "XBRU": "BRU",
    "XLIS": "LIS",
    "XETR": "GER",
    "XFRA": "FRA BER MUN HAN",
    "XDUS": "DUS",
    "XHAM": "HAM",
    "XSTU": "STU",
    "XSWX": "EBS",
    "XWBO": "VIE",
    "XMIL": "MIL",
    "XMAD": "MCE MAD",
    "XSTO": "STO",
    "XCSE": "CPH",
    "XHEL": "HEL",
    "XOSL": "OSL",
    "XICE": "ICE",
    "XWAR": "WSE",
    "XPRA": "PRA",
    "XBUD": "BUD",
    "ASEX": "ATH",
    "XIST": "IST",
    "XBSE": "BVB",
    "XRIS": "RIS",
    "XTAL": "TAL",
    "XLIT": "LIT",
    "XTAE": "TLV",
    "XJSE": "JNB",
    "XSAU": "SAU",
    "XTKS": "JPX OSA",
    "XHKG": "HKG",
    "XSHG": "SHH SHZ",
    "XTAI": "TAI TWO",
    "XKRX": "KSC KOE",
    "XSES": "SES",
    "XKLS": "KLS",
    "XIDX": "JKT",
    "XBKK": "SET",
    "XPHS": "PHS PHP",
    "XBOM": "BSE NSI",
    "XASX": "ASX CXA",
    "XNZE": "NZE",
    # Futures of the four exchanges of CME Group, which have the same days.
    "CMES": "CME CBT CMX NYM",
    # ICE's futures in New York, and the dollar's index.
    "IEPA": "NYB",
    "24/7": "CCC",
    "24/5": "CCY",
}

CALENDARS = {name: calendar for calendar, names in _EXCHANGES.items() for name in names.split()}

# Calendar -> the endings of Yahoo's tickers that show it: SAP.DE, BTC-USD, EURUSD=X, CL=F.
_SUFFIXES = {
    "XTSE": ".TO .V .CN .NE",
    "XMEX": ".MX",
    "BVMF": ".SA",
    "XBUE": ".BA",
    "XSGO": ".SN",
    "XLON": ".L .IL .AQ .XC",
    "XDUB": ".IR",
    "XPAR": ".PA",
    "XAMS": ".AS",
    "XBRU": ".BR",
    "XLIS": ".LS",
    "XETR": ".DE",
    "XFRA": ".F .BE .MU .HA",
    "XDUS": ".DU",
    "XHAM": ".HM",
    "XSTU": ".SG",
    "XSWX": ".SW",
    "XWBO": ".VI",
    "XMIL": ".MI",
    "XMAD": ".MC",
    "XSTO": ".ST",
    "XCSE": ".CO",
    "XHEL": ".HE",
    "XOSL": ".OL",
    "XICE": ".IC",
    "XWAR": ".WA",
    "XPRA": ".PR",
    "XBUD": ".BD",
    "ASEX": ".AT",
    "XIST": ".IS",
    "XBSE": ".RO",
    "XRIS": ".RG",
    "XTAL": ".TL",
    "XLIT": ".VS",
    "XTAE": ".TA",
    "XJSE": ".JO",
    "XSAU": ".SR",
    "XTKS": ".T",
    "XHKG": ".HK",
    "XSHG": ".SS .SZ",
    "XTAI": ".TW .TWO",
    "XKRX": ".KS .KQ",
    "XSES": ".SI",
    "XKLS": ".KL",
    "XIDX": ".JK",
    "XBKK": ".BK",
    "XPHS": ".PS",
    "XBOM": ".BO .NS",
    "XASX": ".AX .XA",
    "XNZE": ".NZ",
    "CMES": "=F",
    "24/5": "=X",
    "24/7": "-USD -EUR -GBP -JPY -AUD -CAD -CHF -CNY -INR -KRW -USDT -BTC -ETH",
    OBSERVED: ".CA .HN .VN .QA .AE .KW .CR",
}

_CALENDARS_BY_SUFFIX = {suffix: calendar for calendar, names in _SUFFIXES.items() for suffix in names.split()}


def calendar_by_ticker(ticker: str) -> str | None:
    """The calendar that a ticker's ending shows; None where it shows none, as for New York."""
    for sign in ".=-":
        before, found, after = ticker.upper().rpartition(sign)
        if found and before:
            return _CALENDARS_BY_SUFFIX.get(sign + after)
    return None
