"""How the commands are called: arguments, help and panels; each imports what it runs only when it runs."""
