"""The data of benchmarks/features.py: made-up purchase days, and Millpond's feature models as dbt compiles them."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import machine
import pyarrow as pa

VIEWS = ("customer_purchases", "customer_rhythm")
GAPS = "int_purchase_gaps_versioned"
KEYS = ("customer_id", "observation_date")
WINDOWS = (7, 14, 30, 60, 90, 180, 365)
COUNTS = [*(f"purchase_days_past_{window}_days" for window in WINDOWS), "purchase_days_ever"]
AMOUNTS = [*(f"net_amount_past_{window}_days" for window in WINDOWS), "net_amount_ever"]
RHYTHM = ["tenure_days", "days_since_last_purchase", "gap_days_mean", "gap_days_sd", "gap_days_max", "gap_days_last"]
FEATURES = [*COUNTS, *AMOUNTS, *RHYTHM]
STARTS_ON = "date '2022-01-03'"


class Size(NamedTuple):
    """What is asked of how much.

    Attributes:
        customers: each buys on one day in 5 to 44, and is looked at every week.
        weeks: of history.
    """

    customers: int
    weeks: int


def prepare(folder: Path, size: Size) -> None:
    """Draw purchase days and observations, and compile Millpond's feature models, all into the folder.

    Every row is known on its day and never corrected: of the two clocks, the other libraries have one.
    """
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        for name, query in (("purchases", _purchase_days(size)), ("observations", _observations(size))):
            connection.execute(f"copy ({query}) to '{folder}/{name}.parquet' (format parquet)")
    _compile_models(folder)


def _purchase_days(size: Size) -> str:
    return f"""
        select
            customer,
            'c' || customer as customer_id,
            {STARTS_ON} + day::integer as purchase_date,
            ((1 + hash('amount', customer, day) % 20000) / 100)::decimal(18, 4) as net_amount,
            row_number() over (order by customer, day) as purchase_id
        from range({size.customers}) as customers(customer), range({size.weeks * 7}) as days(day)
        where hash('day', customer, day) % (5 + customer % 40) = 0
        order by customer, day
    """


def _observations(size: Size) -> str:
    return f"""
        select customer, 'c' || customer as customer_id, {STARTS_ON} + 7 * (week + 1)::integer as observation_date
        from range({size.customers}) as customers(customer), range({size.weeks}) as weeks(week)
    """


def _compile_models(folder: Path) -> None:
    from dbt.cli.main import dbtRunner

    project = str(machine.PROJECT)
    places = ["--project-dir", project, "--profiles-dir", project, "--target-path", str(folder / "target")]
    words = ["compile", *places, "--log-path", str(folder), "--target", "lint", "--select", GAPS, *VIEWS, "--quiet"]
    # dbt prints what it compiled.
    with redirect_stdout(StringIO()):
        result = dbtRunner().invoke(words)
    if not result.success:
        raise RuntimeError(f"dbt could not compile {', '.join([GAPS, *VIEWS])}: see {folder}/dbt.log")
    nodes: Any = result.result
    for node in nodes:
        (folder / f"{node.node.name}.sql").write_text(node.node.compiled_code)


def frames(folder: Path, size: Size) -> tuple[pa.Table, pa.Table]:
    """Purchase days and observations of the first customers.

    Returns:
        Columns customer_id, purchase_date, net_amount, purchase_id, gap_days (null: the first); and KEYS. In order.
    """
    with duckdb.connect() as connection:
        purchases = f"""
            select customer_id, purchase_date::timestamp as purchase_date, net_amount::double as net_amount,
                purchase_id, (purchase_date - lag(purchase_date) over history)::double as gap_days
            from '{folder}/purchases.parquet' where customer < {size.customers}
            window history as (partition by customer order by purchase_date)
            order by customer, purchase_date
        """
        observations = f"""
            select customer_id, observation_date::timestamp as observation_date
            from '{folder}/observations.parquet' where customer < {size.customers} order by customer, observation_date
        """
        return connection.execute(purchases).to_arrow_table(), connection.execute(observations).to_arrow_table()
