"""Language and sentiment of texts, by libraries of the extra `text`. Without them the table stays empty."""

import asyncio
from importlib.metadata import version

import pyarrow as pa

BATCH_SIZE = 1000
# Below this the library guesses: `Danke!` would be Danish.
LEAST_PROBABILITY = 0.5
SCHEMA = pa.schema(
    [
        ("text_hash", pa.string()),
        ("language", pa.string()),
        ("language_method", pa.string()),
        ("sentiment_method", pa.string()),
        ("language_probability", pa.float64()),
        ("sentiment", pa.float64()),
    ]
)


def model(dbt, session):
    """Analyse the texts that are not in the table yet, in batches: memory does not grow with their number."""
    dbt.config(materialized="incremental", incremental_strategy="append")
    texts = dbt.ref("int_texts_united")
    if dbt.is_incremental:
        texts = texts.filter(f"text_hash not in (select text_hash from {dbt.this})")
    # The adapter opens an event loop for each Python model, which needs none, and would leave it open.
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)
    # Loading the libraries takes longer than most builds have texts to read.
    analyse = analyser() if texts.limit(1).fetchall() else None
    if analyse is None:
        return SCHEMA.empty_table()
    return pa.RecordBatchReader.from_batches(SCHEMA, (analysed(batch, analyse) for batch in batches(texts)))


def batches(texts):
    reader = texts.select("text_hash, text").to_arrow_reader(BATCH_SIZE)
    yield from (batch.to_pylist() for batch in reader)


def analysed(rows, analyse):
    """A record batch of SCHEMA for rows of text_hash and text."""
    return pa.RecordBatch.from_pylist([{"text_hash": row["text_hash"], **analyse(row["text"])} for row in rows], SCHEMA)


def analyser():
    """A function from text to language and sentiment, or None where the extra is not installed.

    Sentiment is -1 to 1, and 0 also where no word of the text has a feeling; only of English text, null of all other.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
        from textblob import TextBlob
    except ImportError:
        return None
    identify = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True).classify
    language_method, sentiment_method = (f"{name} {version(name)}" for name in ("py3langid", "textblob"))

    def analyse(text):
        language, probability = identify(text)
        found = {"language_method": language_method, "language_probability": probability}
        if probability >= LEAST_PROBABILITY:
            found["language"] = language
        if found.get("language") == "en":
            found |= {"sentiment": TextBlob(text).sentiment.polarity, "sentiment_method": sentiment_method}
        return found

    return analyse
