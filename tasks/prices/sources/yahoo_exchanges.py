"""Yahoo's names of exchanges, and the calendars that they trade by."""

# A calendar of exchange_calendars, and the `exchangeName`s that Yahoo's charts give for it. Exchanges of one country
# that keep the same days stand together; a security elsewhere needs a row of its own in mlflow.yaml.
_EXCHANGES = {
    "XNYS": "NMS NGM NCM NYQ NYS ASE NAE PCX BTS CXI OEM OQB OQX PNK YHD SNP DJI NIM WCB CBOE NYB",
    "XTSE": "TOR VAN CNQ NEO",
    "XMEX": "MEX",
    "BVMF": "SAO",
    "XBUE": "BUE",
    "XSGO": "SGO",
    "XLON": "LSE IOB AQS CXE FGI",
    "XDUB": "ISE",
    "XPAR": "PAR ENX",
    "XAMS": "AMS",
    "XBRU": "BRU",
    "XLIS": "LIS",
    "XETR": "GER",
    "XFRA": "FRA",
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
    "24/7": "CCC",
    "24/5": "CCY",
}


def calendar_of(yahoo: str | None) -> str | None:
    """The calendar of an exchange by Yahoo's name of it; None where it is not known."""
    for calendar, names in _EXCHANGES.items():
        if yahoo in names.split():
            return calendar
    return None
