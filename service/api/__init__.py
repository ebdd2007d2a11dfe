"""The REST API: FastAPI over the store, which is the truth; the process itself remembers nothing."""
