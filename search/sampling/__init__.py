"""What the strategies that sample share: the rules of a problem as tables, fitting to them, and optuna trials."""
