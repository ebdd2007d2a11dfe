"""Pictures of a finished job: ``front.png`` for reports, ``front.html`` to explore."""
