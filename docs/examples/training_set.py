# %% [markdown]
# # A training set from labels of your own
# You bring who, when and what happened, under the keys of your own systems. Feast adds what was known of each
# customer at that moment, and nothing that became known later. It needs a home that was built and published:
#
#     $ head -2 calls.csv
#     source_system,customer_key,called_at,answered
#     shop,4711,2024-01-15 10:30:00,true
#     $ LABELS=calls.csv python docs/examples/training_set.py

# %%
import os

from feast_lake import pinned
from millpond import features

LABELS = os.environ.get("LABELS", "calls.csv")

# %% [markdown]
# Rows may be a data frame, an Arrow table, or SQL that runs in the lake. `event_timestamp` says as of when (UTC);
# other columns are kept, so the label stands beside its features. The join finds the customer that a key was
# known to belong to at the time (docs/identity.md); a key that nobody knew then keeps its row, with null features.

# %%
labelled = f"""
    select
        keys.customer_id,
        calls.called_at as event_timestamp,
        calls.answered
    from read_csv('{LABELS}', types = {{'customer_key': 'varchar'}}) as calls
    left join intermediate.int_customer_keys_versioned as keys
        on calls.source_system = keys.source_system
        and calls.customer_key = keys.customer_key
        and keys.known_at < calls.called_at
        and coalesce(keys.superseded_at, timestamp '9999-12-31') >= calls.called_at
    order by calls.called_at, calls.source_system, calls.customer_key
"""

# %% [markdown]
# The training set is one line. `pinned` reads one snapshot of the lake: the same file gives the same set after later
# builds. Keep the snapshot's number beside the model, and open it with `pinned(features.store(), number)`.

# %%
store = pinned(features.store())
training_set = store.get_historical_features(labelled, store.get_feature_service("repurchase_timing")).to_df()

# %%
print(f"{len(training_set)} rows, {training_set.shape[1]} columns, snapshot {store.config.offline_store.lake_snapshot}")
print(training_set[["event_timestamp", "answered", "frequency", "days_since_last_purchase"]].head().to_string())
