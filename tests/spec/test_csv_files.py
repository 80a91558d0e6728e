"""Raw CSV files as they come: what loads, and what each malformed row costs (docs/raw_contract.md)."""

import csv
import io
import random
import re
from pathlib import Path
from typing import Any

import pytest

from millpond import dbt, errors, lake, pipeline, tombstones

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
        HEAD + "shop,p1,Café – größer\n".encode() + b"shop,p2,Caf\xe9\nshop,p3,Bread\n",
        [("p1", "Café – größer"), ("p3", "Bread")],
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
    "bytes that are not UTF-8 inside quotes": (
        HEAD + b'shop,p1,"A\nl\ne"\nshop,p2,"Caf\n\xe9\n"\nshop,p3,Bread\n',
        [("p1", "A\nl\ne"), ("p3", "Bread")],
        [
            (2, "malformed CSV row: a quote that is not closed, or text beside quotes"),
            (3, "malformed CSV row: bytes that are not UTF-8"),
            (4, "malformed CSV row: a quote that is not closed, or text beside quotes"),
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
    "a last line end of the other kind": (
        (HEAD + b"shop,p1,Ale\n").replace(b"\n", b"\r\n") + b"shop,p2,Beer\n",
        [("p1", "Ale"), ("p2", "Beer")],
        [],
    ),
    "a head with a line end of the other kind": (HEAD + b"shop,p1,Ale\r\n", [("p1", "Ale")], []),
    "line ends of two characters and none after the last row": (
        HEAD.replace(b"\n", b"\r\n") + b"shop,p1,Ale\r\nshop,p2,Beer",
        [("p1", "Ale"), ("p2", "Beer")],
        [],
    ),
    "quoted line ends": (HEAD + b'shop,p1,"A\nl\n\ne"\nshop,p2,\n', [("p1", "A\nl\n\ne"), ("p2", None)], []),
    "no line end after the last row": (HEAD + b"shop,p1,Ale\nshop,p2,Beer", [("p1", "Ale"), ("p2", "Beer")], []),
    "a comma too many at the end": (HEAD + b"shop,p1,Ale,\nshop,p2,Beer\n", [("p1", "Ale"), ("p2", "Beer")], []),
    "a head and no row": (HEAD, [], []),
    "a1": (HEAD + b"shop,p1,Ale\n", [("p1", "Ale")], []),
    "a[1]": (HEAD + b"shop,p2,Beer\n", [("p2", "Beer")], []),
    "a?": (HEAD + b"shop,p3,Cake\n", [("p3", "Cake")], []),
    "a*": (HEAD + b"shop,p4,Dip\nshop\n", [("p4", "Dip")], [(2, "malformed CSV row: 1 fields instead of 3")]),
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


def build(*nodes: str, share: float = 1) -> None:
    """Staged products, and further nodes."""
    with lake.writing():
        selected = ("--select", "+stg_invoices__products", *nodes)
        dbt.build(*selected, variables={"max_quarantine_share": share}, on_node=pipeline.nothing)


def ask(query: str) -> list[Any]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def test_every_row_of_a_csv_file_loads_or_is_in_quarantine(home: Path) -> None:
    for name, (content, _, _) in FILES.items():
        land(home, content.replace(b"shop", name.encode()), f"{name}.csv")
    build("+products", "+quarantine", "+load_audit")
    for name, (_, products, rejected) in FILES.items():
        where = f"where raw_file = 'invoices/products/{name}.csv'"
        found = ask(f"select product_key, product_name from marts.products where source_system = '{name}' order by 1")
        assert found == products, name
        found = ask(f"select raw_row_number, reject_reasons from marts.quarantine {where} order by 1")
        assert found == rejected, name
        read = ask(f"select coalesce(sum(rows_read), 0) from marts.load_audit {where}")
        assert read == [(len(products) + len(rejected),)], name


def random_file(number: int) -> tuple[bytes, list[tuple[str, str | None]], int]:
    """A file of 60 rows, one in eight malformed: its bytes, its sound rows, and how many are not."""
    draw, lines, sound = random.Random(number), [], []
    pieces = ["a", "é–ß", "x,y", 'q"q', "n\nm", "n\n\nm", " s", '5" in', "漢", '""', 'a\n"b"\nc']
    broken = [b'shop,p,"open', b"shop", b"shop,p,a,b,c,d", b"shop,\xe9\x93,x", b'shop,"a"b,c']
    for row in range(60):
        if draw.random() < 1 / 8:
            lines.append(draw.choice(broken) + b"\n")
            continue
        name = "".join(draw.choices(pieces, k=draw.randint(0, 3)))
        text = io.StringIO()
        quoting = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        csv.writer(text, lineterminator="\n", quoting=quoting).writerow(["shop", f"p{row:02}", name])
        lines.append(text.getvalue().encode())
        sound.append((f"p{row:02}", name.strip(" ") or None))
    return HEAD + b"".join(lines), sound, 60 - len(sound)


def test_no_sound_row_is_lost_beside_malformed_ones(home: Path) -> None:
    files = {number: random_file(number) for number in range(20)}
    for number, (content, _, _) in files.items():
        land(home, content, f"{number}.csv")
    build()
    for number, (_, sound, malformed) in files.items():
        rows = ask(f"""
            select product_key, product_name, reject_reasons like 'malformed%'
            from staging.base_invoices__products where _file like '%/{number}.csv' order by _row
        """)
        assert [row[:2] for row in rows if not row[2]] == sound, number
        assert sum(row[2] for row in rows) == malformed, number


def test_a_field_of_ten_megabytes_loads_beside_a_malformed_row(home: Path) -> None:
    bare, quoted = b"x" * 10_000_000, b'"' + b"line\n" * 2_000_000 + b'"'
    land(home, HEAD + b"shop,p1," + bare + b"\nshop,p2," + quoted + b"\nshop,p3,Bread\n", "sound.csv")
    land(home, HEAD + b"shop,p4," + bare + b"\nshop\nshop,p5," + quoted + b"\nshop,p6,Bread\n", "broken.csv")
    build()
    found = ask("select product_key, length(product_name) from staging.stg_invoices__products order by 1")
    assert [length for _, length in found] == [10_000_000, 10_000_000, 5] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEAD.decode().encode("utf-16"), r"rows\.csv does not begin with column names in UTF-8"),
        (
            HEAD + b"shop,p1,Caf\xe9\nshop,p2,Gar\xe7on\nshop,p3,Bread\n",
            r"rows\.csv is not UTF-8 \(2 of its lines are not\): convert it",
        ),
        (b"PK\x03\x04\x14\x00\x06\x00\n" + bytes(range(256)), r"rows\.csv does not begin with column names"),
        (HEAD + b"shop,p1,Ale\nshop,p2," + b"x" * 17_000_000, r"rows\.csv has a row of more than 16 MiB in line 3"),
        (b"source_system,product_key,Product_Key\nshop,p1,p2\n", r"rows\.csv has two columns product_key"),
    ],
)
def test_a_file_that_is_no_csv_in_utf8_is_one_line(home: Path, content: bytes, message: str) -> None:
    land(home, content)
    with pytest.raises(errors.UnreadableFile, match=message) as raised:
        build(share=0.05)
    assert str(raised.value).count("\n") == 0


def test_a_file_of_other_separators_lacks_its_columns(home: Path) -> None:
    land(home, HEAD.replace(b",", b";") + b"shop;p1;Ale\n")
    with pytest.raises(errors.MissingColumn, match="no file of invoices/products has the required column"):
        build()


def test_malformed_rows_count_towards_the_share_that_stops_a_build(home: Path) -> None:
    land(home, HEAD + b"shop,p1,Ale\nshop\n")
    with pytest.raises(errors.TooManyRejected, match="1 of 2 rows of base_invoices__products were rejected"):
        build(share=0.05)


def test_once_anybody_was_erased_nothing_of_a_malformed_row_is_kept(home: Path) -> None:
    land(home, HEAD + b'shop,p1,Ale\nshop,zoe,"not closed\n')
    tombstones.add({"shop/zoe"})
    build()
    rows = ask("select product_key, _raw_row, reject_reasons from staging.base_invoices__products order by _row")
    assert rows == [
        ("p1", None, ""),
        (None, None, "malformed CSV row: a quote that is not closed, or text beside quotes"),
    ]


def test_a_file_that_grows_while_it_is_read_stops_the_build_and_loads_with_the_next(home: Path) -> None:
    land(home, HEAD + b"shop,p1,Ale\nshop,p2,Be")
    file = home / "raw" / "invoices" / "products" / "rows.csv"

    def grow(node: str) -> None:
        if node == "base_invoices__products":
            file.write_bytes(file.read_bytes() + b"er\n")

    with pytest.raises(errors.UnreadableFile, match=re.escape(f"{file} changed while it was read")), lake.writing():
        dbt.build("--select", "base_invoices__products", variables={}, on_node=grow)
    assert not lake.exists()
    build()
    found = ask("select product_key, product_name from staging.stg_invoices__products order by 1")
    assert found == [("p1", "Ale"), ("p2", "Beer")]
