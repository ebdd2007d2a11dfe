"""Every strategy keeps the contract; evolution and uniform do what they say beside it."""

from __future__ import annotations

from strategy_contract import StrategyContract, name, problem

__all__ = ["name", "problem"]  # the contract's fixtures


class TestStrategies(StrategyContract):
    pass
