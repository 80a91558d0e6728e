# %% [markdown]
# # One customer, scored while an application waits
# When she buys again, and which offers of the catalogue she would accept: the numbers of `millpond score`, in
# milliseconds. It needs a home on which `millpond run` was run:
#
#     $ CUSTOMER=shop/4711 python docs/examples/score_one_customer.py

# %%
import os
from datetime import UTC, datetime, time

from millpond import lake, pipeline
from millpond.reader import Reader
from millpond.scoring import folder_in_use
from training.offers import catalogue
from training.scoring import Offer, Scorer

CUSTOMER = os.environ.get("CUSTOMER", "shop/4711")

# %% [markdown]
# An application opens these once, after each build, and holds them. `folder_in_use` refuses a version whose features
# changed, or that knows what came after the date.

# %%
as_of = pipeline.built_as_of()
scorer = Scorer.load(folder_in_use("repurchase_timing", as_of), folder_in_use("response_propensity", as_of))
timing, response = Reader("repurchase_timing"), Reader("response_propensity")
with lake.connect() as connection:
    actions = catalogue(connection, as_of=as_of)
    keys = connection.execute("select source_system || '/' || customer_key, customer_id from marts.customer_keys")
    customer_of = dict(keys.fetchall())
    scored = connection.execute(
        "select customer_id, action_id, channel, affinity_amount_share, affinity_days_share"
        " from predictions.response_propensity where observation_date = ?",
        [as_of],
    )
    affinity = {tuple(row[:3]): tuple(row[3:]) for row in scored.fetchall()}

# %% [markdown]
# For each request: read the features online, then score. Here the moment is that of the build, so that a data set of
# the past can be tried; in production it is `datetime.now(UTC)`.

# %%
customer_id, at = customer_of[CUSTOMER], datetime.combine(as_of, time(), UTC)
(customer,) = timing.read([customer_id], at=at)
channels = sorted({*actions["channel"]})
on = response.read([{"customer_id": customer_id, "channel": channel} for channel in channels], at=at)
features_on = {channel: vector.values for channel, vector in zip(channels, on, strict=True)}
offers = []
for one in actions.itertuples():
    shares = affinity[customer_id, one.action_id, one.channel]
    offers.append(Offer(one.action_id, one.channel, features_on[one.channel], one.attributes, shares))
scores = scorer.score(customer.values, offers, at=at)

# %%
if scores.timing:
    print(f"buys within 30 days: {scores.timing['p_repurchase_30d']:.1%}")
for offer, chance in zip(offers, scores.response, strict=True):
    print(f"accepts {offer.action_id} by {offer.channel}: {chance:.1%}")
