"""Raw CSV files as they come: what loads, and what each malformed row costs (docs/raw_contract.md)."""

from pathlib import Path

import pytest

from millpond import checking, dbt, errors, lake, pipeline

HEAD = b"source_system,product_key,product_name\n"

# What a file holds, the products that load, and the rows that do not with their reasons.
FILES: dict[str, tuple[bytes, list[tuple[str, str | None]], list[tuple[int, str]]]] = {
    "too few fields": (
        HEAD + b"shop,p1,Ale\nshop,p2\nshop,p3,Bread\n",
        [("p1", "Ale"), ("p3", "Bread")],
        [(2, "malformed CSV row: 2 fields instead of 3")],
    ),
    "too many fields": (
        HEAD + b"shop,p1,Ale\nshop,p2,Salt, pepper\nshop,p3,Bread\n",
        [("p1", "Ale"), ("p3", "Bread")],
        [(2, "malformed CSV row: 4 fields instead of 3")],
    ),
    "a quote that is not closed costs its own row": (
        HEAD + b'shop,p1,Ale\nshop,p2,"Beer\nshop,p3,Bread\nshop,p4,"Cake, ""dark"""\nshop,p5,"Rice\n\nPudding"\n',
        [("p1", "Ale"), ("p3", "Bread"), ("p4", 'Cake, "dark"'), ("p5", "Rice\n\nPudding")],
        [(2, "malformed CSV row: a quote that is not closed, or text beside quotes")],
    ),
    "a quote that is not closed in the last row": (
        HEAD + b'shop,p1,Ale\nshop,p2,"Beer',
        [("p1", "Ale")],
        [(2, "malformed CSV row: a quote that is not closed, or text beside quotes")],
    ),
    "text beside quotes": (
        HEAD + b'shop,p1,Ale\nshop,p2,"Beer" dark\nshop,p3,Bread\n',
        [("p1", "Ale"), ("p3", "Bread")],
        [(2, "malformed CSV row: a quote that is not closed, or text beside quotes")],
    ),
    "bytes that are not UTF-8": (
        HEAD + "shop,p1,Café\n".encode() + b"shop,p2,Caf\xe9\nshop,p3,Bread\n",
        [("p1", "Café"), ("p3", "Bread")],
        [(2, "malformed CSV row: bytes that are not UTF-8")],
    ),
    "several malformed rows among empty lines": (
        b"\n" + HEAD + b'\nshop\n\nshop,p1,Ale\nshop,p2,"Be\ner"\nshop,p3,"x\nshop,p4,5" pipe\n\nshop,p5,a,b\n',
        [("p1", "Ale"), ("p2", "Be\ner"), ("p4", '5" pipe')],
        [
            (1, "malformed CSV row: 1 fields instead of 3"),
            (4, "malformed CSV row: a quote that is not closed, or text beside quotes"),
            (6, "malformed CSV row: 4 fields instead of 3"),
        ],
    ),
    "byte order mark": (b"\xef\xbb\xbf" + HEAD + b"shop,p1,Ale\n", [("p1", "Ale")], []),
    "byte order mark and a malformed row": (
        b"\xef\xbb\xbf" + HEAD + b"shop,p1,Ale\nshop\n",
        [("p1", "Ale")],
        [(2, "malformed CSV row: 1 fields instead of 3")],
    ),
    "line ends of two characters": (
        (HEAD + b'shop,p1,Ale\nshop,p2,"Be\ner"\n').replace(b"\n", b"\r\n"),
        [("p1", "Ale"), ("p2", "Be\r\ner")],
        [],
    ),
    "line ends of both kinds": (
        HEAD.replace(b"\n", b"\r\n") + b'shop,p1,Ale\r\nshop,p2,"Be\ner"\r\nshop,p3,Bread\nshop,p4,"Ca\r\nke"\r\n',
        [("p1", "Ale"), ("p2", "Be\ner"), ("p3", "Bread"), ("p4", "Ca\nke")],
        [],
    ),
    "quoted line ends": (HEAD + b'shop,p1,"A\nl\n\ne"\nshop,p2,\n', [("p1", "A\nl\n\ne"), ("p2", None)], []),
    "no line end after the last row": (HEAD + b"shop,p1,Ale\nshop,p2,Beer", [("p1", "Ale"), ("p2", "Beer")], []),
    "a comma too many at the end": (HEAD + b"shop,p1,Ale,\nshop,p2,Beer\n", [("p1", "Ale"), ("p2", "Beer")], []),
    "a head and no row": (HEAD, [], []),
    "a head of other words": (
        b'"Product_Key ","source_system",product_name\np1,shop,Ale\np2\n',
        [("p1", "Ale")],
        [(2, "malformed CSV row: 1 fields instead of 3")],
    ),
}


def land(home: Path, content: bytes, name: str = "rows.csv") -> None:
    folder = home / "raw" / "invoices" / "products"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def build(share: float = 1) -> None:
    with lake.writing():
        nodes = ("--select", "staging", "+products", "quarantine", "load_audit")
        dbt.build(*nodes, variables={"max_quarantine_share": share}, on_node=pipeline.nothing)


def ask(query: str) -> list[tuple]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def test_every_row_of_a_csv_file_loads_or_is_in_quarantine(home: Path) -> None:
    for name, (content, _, _) in FILES.items():
        land(home, content.replace(b"shop", name.encode()), f"{name}.csv")
    build()
    for name, (_, products, rejected) in FILES.items():
        found = ask(f"select product_key, product_name from marts.products where source_system = '{name}' order by 1")
        assert found == products, name
        file = f"invoices/products/{name}.csv"
        assert (
            ask(f"select raw_row_number, reject_reasons from marts.quarantine where raw_file = '{file}' order by 1")
            == rejected
        ), name
        assert ask(f"select coalesce(sum(rows_read), 0) from marts.load_audit where raw_file = '{file}'") == [
            (len(products) + len(rejected),)
        ]
