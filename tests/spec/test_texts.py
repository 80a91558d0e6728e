"""What is read from the words that customers write: topic, language, sentiment."""

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from millpond import dbt, lake, pipeline, settings

CASES = """source_system,case_id,customer_key,opened_at,topic,body
crm,1,a,2024-01-05,praise,"Great service, thank you very much!"
crm,2,a,2024-01-05,,"Terrible service, the parcel was never delivered by the courier."
crm,3,a,2024-01-05,,"Die Rechnung ist falsch, mir wurde doppelt abgebucht."
crm,4,a,2024-01-05,,"Please look at the weather, it is raining again today."
crm,5,b,2024-01-05,,"My invoice is wrong and the parcel is missing, please look."
crm,6,b,2024-01-05,advice,
crm,7,b,2024-01-05,,Danke!
"""
MESSAGES = """source_system,message_id,customer_key,sent_at,direction,subject,body
mailer,1,a,2024-01-05,inbound,My parcel,"Where is it? It should have arrived last week."
mailer,2,a,2024-01-05,outbound,Your parcel,It is on its way.
mailer,3,b,2024-01-05,inbound,,
"""

# kind, id, topic, where from, language, sentiment is: good, bad, even, none
READ = [
    ("case", "1", "praise", "raw", "en", "good"),
    ("case", "2", "delivery", "key words", "en", "bad"),
    ("case", "3", "invoice", "key words", "de", "none"),
    ("case", "4", None, None, "en", "even"),
    # As many words of delivery as of invoice.
    ("case", "5", "delivery", "key words", "en", "bad"),
    ("case", "7", None, None, None, "none"),
    ("message", "1", "delivery", "key words", "en", "even"),
]

SENTENCES = {
    "en": """Where is my parcel? It should have arrived last week.
        I would like to return these shoes.
        The invoice is wrong, I was charged twice.
        Great service, thank you very much!
        My account is locked and I cannot log in.
        Please cancel my subscription at once.
        The coffee machine is broken and leaks water.
        Can you tell me when the shop opens on Sunday?""",
    "de": """Wo bleibt mein Paket? Es sollte letzte Woche ankommen.
        Ich möchte diese Schuhe zurückgeben.
        Die Rechnung ist falsch, mir wurde doppelt abgebucht.
        Toller Service, vielen Dank!
        Mein Konto ist gesperrt und ich kann mich nicht anmelden.
        Bitte kündigen Sie mein Abonnement sofort.
        Die Kaffeemaschine ist kaputt und verliert Wasser.
        Wann öffnet das Geschäft am Sonntag?""",
    "fr": """Où est mon colis ? Il aurait dû arriver la semaine dernière.
        Je voudrais retourner ces chaussures.
        La facture est fausse, j'ai été débité deux fois.
        Excellent service, merci beaucoup !
        Mon compte est bloqué et je ne peux pas me connecter.
        Veuillez résilier mon abonnement immédiatement.
        La machine à café est cassée et perd de l'eau.
        À quelle heure ouvre le magasin le dimanche ?""",
    "es": """¿Dónde está mi paquete? Debería haber llegado la semana pasada.
        Quisiera devolver estos zapatos.
        La factura está mal, me han cobrado dos veces.
        Excelente servicio, ¡muchas gracias!
        Mi cuenta está bloqueada y no puedo entrar.
        Por favor, cancelen mi suscripción de inmediato.
        La cafetera está rota y pierde agua.
        ¿A qué hora abre la tienda el domingo?""",
    "nl": """Waar blijft mijn pakket? Het had vorige week moeten komen.
        Ik wil deze schoenen graag terugsturen.
        De factuur klopt niet, er is twee keer afgeschreven.
        Geweldige service, hartelijk bedankt!
        Mijn account is geblokkeerd en ik kan niet inloggen.
        Zeg mijn abonnement alstublieft meteen op.
        Het koffiezetapparaat is kapot en lekt water.
        Hoe laat gaat de winkel op zondag open?""",
}

INBOUND = """
    select
        kind, text_id, topic, topic_source, language,
        case when sentiment > 0 then 'good' when sentiment < 0 then 'bad' when sentiment = 0 then 'even' else 'none' end
    from marts.inbound_texts order by 1, 2
"""


@pytest.fixture(scope="module")
def analysis() -> ModuleType:
    """The Python model as a module."""
    file = settings.PROJECT / "models" / "intermediate" / "int_texts_analysed.py"
    spec = importlib.util.spec_from_file_location("int_texts_analysed", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def land(home: Path, cases: str = CASES) -> None:
    for table, content in {"crm/cases": cases, "communications/messages": MESSAGES}.items():
        (home / "raw" / table).mkdir(parents=True, exist_ok=True)
        (home / "raw" / table / "rows.csv").write_text(content)


def build(*nodes: str) -> None:
    with lake.writing():
        dbt.build("--select", *nodes, "--indirect-selection", "cautious", variables={}, on_node=pipeline.nothing)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the texts are analysed; tests work on copies of it."""
    home = tmp_path_factory.mktemp("texts")
    land(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MILLPOND_HOME", str(home))
        build("+inbound_texts", "+cases")
    return home


def ask(query: str) -> list[Any]:
    with lake.connect() as connection:
        return connection.execute(query).fetchall()


def test_topic_language_and_sentiment_stand_beside_the_words(built: Path, home: Path) -> None:
    shutil.copytree(built, home)
    assert ask(INBOUND) == READ
    cases = ask("select case_id, topic, topic_source, language from marts.cases order by 1")
    assert cases == sorted([row[1:5] for row in READ if row[0] == "case"] + [("6", "advice", "raw", None)])
    assert ask("select count(*) from marts.cases where text_method like 'py3langid _%, textblob _%'") == [(4,)]


@pytest.mark.slow
def test_a_text_is_analysed_once_and_leaves_with_its_case(built: Path, home: Path) -> None:
    shutil.copytree(built, home)
    with lake.writing(), lake.connect(read_only=False) as connection:
        connection.execute("update intermediate.int_texts_analysed set language_method = 'before'")
    first, _, rest = CASES.partition("crm,1,a")
    land(home, first + rest.partition("\n")[2] + 'crm,8,b,2024-01-05,,"Bitte kündigen Sie mein Abonnement sofort."\n')
    build("+inbound_texts", "+cases")
    methods = ask("select case_id, text_method = 'before' or text_method like 'before, %' from marts.cases order by 1")
    assert methods == [("2", True), ("3", True), ("4", True), ("5", True), ("6", None), ("7", True), ("8", False)]
    assert ask("select count(*) from intermediate.int_texts_analysed") == [(7,)]


def test_without_the_libraries_only_topics_are_told(built: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    shutil.copytree(built, home)
    # Only the analysis and what tells it, from nothing.
    build("int_texts_analysed+,+inbound_texts", "--full-refresh")
    assert ask(INBOUND) == [(*row[:4], None, "none") for row in READ]


def test_the_language_of_38_in_40_sentences_is_found(analysis: ModuleType) -> None:
    analyse = analysis.analyser()
    found = [
        analyse(line.strip()).get("language") == language
        for language, text in SENTENCES.items()
        for line in text.splitlines()
    ]
    assert len(found) == 40
    assert sum(found) >= 38


def test_texts_are_read_in_batches(analysis: ModuleType) -> None:
    texts = duckdb.sql("select md5(i::varchar) as text_hash, 'text ' || i as text from range(5000) as numbers(i)")
    sizes = [len(rows) for rows in analysis.batches(texts)]
    assert sum(sizes) == 5000
    assert max(sizes) <= analysis.BATCH_SIZE
