"""The engine: runs one job, on a pool of Ray actors, with the store as its memory."""
