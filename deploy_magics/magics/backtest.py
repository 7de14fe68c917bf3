"""%backtest, %%backtest, %backtests."""

from .command import Command

COMMANDS = [
    Command("backtest", "deploy_magics.actions.backtest:backtest", "line_cell"),
    Command("backtests", "deploy_magics.actions.backtests:backtests"),
]
