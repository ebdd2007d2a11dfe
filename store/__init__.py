"""SQL tables and queries: evaluations with leases, jobs, progress."""
