"""Pages over the API: plain ES modules in ``static/``, which the service serves under ``/ui``."""
