"""A warm second process for what needs torch, beside the API."""
