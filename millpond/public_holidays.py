"""Writes seeds/public_holidays.csv, from the library of the extra `holidays`: `python -m millpond.public_holidays`.

Add a country here, run it and commit the file: builds read only the file, so they need neither library nor network.
"""

import csv
from collections.abc import Iterator

from millpond import settings
from millpond.errors import MissingPackage

COUNTRIES = ["AT", "BE", "CH", "DE", "ES", "FR", "GB", "IT", "NL", "PL", "US"]
YEARS = range(1997, 2030)
FILE = settings.PROJECT / "seeds" / "public_holidays.csv"


def public_holidays() -> Iterator[tuple[str, str, str]]:
    """Country, date and English name of each holiday of a whole country, ordered; regional ones are left out.

    Raises:
        MissingPackage: the library is not installed.
    """
    try:
        import holidays
    except ImportError as error:
        raise MissingPackage("no package holidays: run `pip install 'millpond[holidays]'` first") from error
    for country in COUNTRIES:
        found = holidays.country_holidays(country, years=YEARS, language="en_US")
        for day, names in sorted(found.items()):
            yield country, day.isoformat(), ", ".join(sorted(names.split("; ")))


def main() -> None:
    with FILE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["country", "holiday_date", "holiday_name"])
        writer.writerows(public_holidays())


if __name__ == "__main__":
    main()
