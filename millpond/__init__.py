"""Millpond: from raw customer data to the next best action for every customer."""
