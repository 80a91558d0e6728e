"""Building the lake from made-up raw files: all of it, one more day of files on top, and plain DuckDB as the floor.

Every step is a process of its own. The day is built on a history of one and of two years; a build without any new file
says how much of a day is dbt itself. Writes benchmarks/results/lake.json, or lake_<customers>.json for another size.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import duckdb
from machine import PROJECT, facts, write

CUSTOMERS = 100_000
FIRST_DAY = date(2023, 1, 1)
GOALS = {
    CUSTOMERS: {
        "full_seconds": 360,
        "full_peak_mib": 8192,
        "day_share_of_full": 0.1,
        "day_with_twice_the_history": 1.2,
    },
    1_000_000: {"full_peak_mib": 20480},
}

# When a row reached the company, where it does not say so itself.
TIMES = {
    "crm/customers": "created_at",
    "crm/consents": "effective_at",
    "crm/cases": "opened_at",
    "crm/assets": "acquired_at",
    "crm/asset_readings": "measured_at",
    "invoices/invoices": "invoiced_at",
    "invoices/lines": "invoices.invoiced_at",
    "communications/campaigns": "starts_at",
    "communications/messages": "sent_at",
    "communications/events": "occurred_at",
    "communications/visits": "visited_at",
}

# Purchase days and amounts per customer and month: what the purchase features are made of; and messages per channel.
FLOOR = """
create table days as
select customer_key, cast(invoiced_at as date) as purchase_date, sum(net_amount) as net_amount, count(*) as line_count
from read_parquet('{raw}/invoices/lines/*.parquet') as lines
inner join read_parquet('{raw}/invoices/invoices/*.parquet') as invoices using (source_system, invoice_id)
where customer_key is not null
group by all;

create table features as
select
    customer_key, observation_date,
    count(*) as purchase_days_ever, sum(net_amount) as net_amount_ever, max(purchase_date) as last_purchase_date,
    {windows}
from days
inner join (
    select cast(unnest(generate_series(timestamp '{first}', timestamp '{last}', interval 1 month)) as date) as observation_date
) on purchase_date < observation_date
group by all;

create table messages as
select customer_key, channel, observation_date, count(*) as sent, count(*) filter (sent_at >= observation_date - 30) as recent
from read_parquet('{raw}/communications/messages/*.parquet') as messages
inner join (
    select cast(unnest(generate_series(timestamp '{first}', timestamp '{last}', interval 1 month)) as date) as observation_date
) on sent_at < observation_date
group by all;
"""  # noqa: E501
WINDOWS = [
    f"count(*) filter (purchase_date >= observation_date - {days}) as days_{days}, "
    f"sum(net_amount) filter (purchase_date >= observation_date - {days}) as amount_{days}"
    for days in (7, 14, 30, 60, 90, 180, 365)
]


def run(command: list[str], home: Path) -> dict[str, float]:
    """Run one command to its end; wall seconds and its highest resident set in MiB."""
    begin = perf_counter()
    log = home / "benchmark.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=PROJECT, stdout=output, stderr=output, env={**os.environ, "MILLPOND_HOME": str(home)}
        )
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    return {"seconds": round(perf_counter() - begin, 1), "peak_mib": round(usage.ru_maxrss / 1024, 1)}


def build(home: Path, as_of: date) -> dict[str, float]:
    variables = json.dumps({"as_of_date": as_of.isoformat(), "observation_cadence": "month"})
    (home / "lake" / "data").mkdir(parents=True, exist_ok=True)
    dbt = str(Path(sys.executable).with_name("dbt"))
    artefacts = ["--target-path", str(home / "target"), "--log-path", str(home / "logs")]
    words = ["build", "--quiet", "--exclude", "decisions", "--exclude-resource-type", "unit_test"]
    return run([dbt, *words, "--vars", variables, *artefacts], home)


def hold_back(home: Path, last: date) -> Path:
    """Take the rows that arrive on the last day, or are planned after it, out of the raw files.

    Returns:
        A folder laid out as the raw folder, with these rows.
    """
    held = home / "held"
    for table, time in TIMES.items():
        for file in sorted((home / "raw" / table).glob("*.parquet")):
            if file.stem.partition("-")[2] < last.strftime("%Y-%m") and "-" in file.stem:
                continue
            parents = f"left join read_parquet('{home}/raw/invoices/invoices/*.parquet') as invoices"
            parents += " using (source_system, invoice_id)" if table == "invoices/lines" else " on false"
            rows = f"read_parquet('{file}') as raw {parents if table == 'invoices/lines' else ''}"
            columns = {row[0] for row in duckdb.sql(f"describe from '{file}'").fetchall()}
            arrived = f"coalesce(raw.known_at, {time})" if "known_at" in columns else time
            (held / table).mkdir(parents=True, exist_ok=True)
            for condition, target in (
                (f"{arrived} >= '{last}'", held / table / f"{file.stem}-last-day.parquet"),
                (f"({arrived} < '{last}' or {arrived} is null)", file.with_suffix(".kept")),
            ):
                duckdb.sql(f"copy (select raw.* from {rows} where {condition}) to '{target}' (format parquet)")
            if table != "invoices/invoices":
                os.replace(file.with_suffix(".kept"), file)
    # Last, because lines ask their invoices when they arrived.
    for kept in (home / "raw").glob("*/*/*.kept"):
        os.replace(kept, kept.with_suffix(".parquet"))
    return held


def floor(home: Path, last: date) -> dict[str, float]:
    """The same aggregation in plain DuckDB, within the same memory, from the same Parquet files into a DuckDB file."""
    sql = FLOOR.format(raw=home / "raw", windows=", ".join(WINDOWS), first=FIRST_DAY + timedelta(days=31), last=last)
    script = home / "floor.sql"
    script.write_text(sql)
    memory = os.environ.get("MILLPOND_MEMORY")
    limited = f"config={{'memory_limit': '{memory}'}}" if memory else ""
    program = f"import duckdb, sys; duckdb.connect(sys.argv[1], {limited}).execute(open(sys.argv[2]).read())"
    return run([sys.executable, "-c", program, str(home / "floor.db"), str(script)], home)


def measure(home: Path, *, customers: int, days: int, full_only: bool) -> dict[str, Any]:
    """One history: land it, build all but its last day, build that day, build again without anything new."""
    last = FIRST_DAY + timedelta(days=days - 1)
    land = ["land", "synthetic", "--customers", str(customers), "--days", str(days)]
    steps = {"land": run([sys.executable, "-m", "millpond", *land], home)}
    if full_only:
        steps["full"] = build(home, last + timedelta(days=1))
    else:
        held = hold_back(home, last)
        steps["full"] = build(home, last)
        for file in held.glob("*/*/*.parquet"):
            shutil.move(file, home / "raw" / file.relative_to(held))
        steps["one_more_day"] = build(home, last + timedelta(days=1))
        steps["nothing_new"] = build(home, last + timedelta(days=1))
    rows = duckdb.sql(
        f"select (select count(*) from '{home}/raw/invoices/lines/*.parquet'), "
        f"(select count(*) from '{home}/raw/communications/messages/*.parquet') "
        f"+ (select count(*) from '{home}/raw/communications/events/*.parquet')"
    ).fetchall()[0]
    return {
        "days": days,
        "lines": rows[0],
        "messages_and_events": rows[1],
        **steps,
        "floor": floor(home, last),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--days", type=int, nargs="+", default=[365, 730])
    parser.add_argument("--full-only", action="store_true", help="build everything once, without a day on top")
    arguments = parser.parse_args()
    before = facts()
    histories = []
    for days in arguments.days:
        with tempfile.TemporaryDirectory(prefix="millpond-lake-") as folder:
            history = measure(Path(folder), customers=arguments.customers, days=days, full_only=arguments.full_only)
            histories.append(history)
            print(json.dumps(histories[-1]), flush=True)
    longest = histories[-1]
    result = {
        "customers": arguments.customers,
        "goals": GOALS.get(arguments.customers, {}),
        "full_over_floor": round(longest["full"]["seconds"] / longest["floor"]["seconds"], 1),
    }
    if not arguments.full_only:
        day = longest["one_more_day"]["seconds"]
        result["day_share_of_full"] = round(day / longest["full"]["seconds"], 3)
        result["day_with_twice_the_history"] = round(day / histories[0]["one_more_day"]["seconds"], 2)
    result["histories"] = histories
    name = "lake" if arguments.customers == CUSTOMERS else f"lake_{arguments.customers}"
    print(write(name, {**before, **result}).name)


if __name__ == "__main__":
    main()
