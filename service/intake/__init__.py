"""From what somebody sends to a job that can be stored: read strictly, within the roots, and previewed."""
