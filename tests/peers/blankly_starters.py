"""The folders that ``blankly init`` writes, for every exchange and template of the library."""

import pathlib
import sys

from blankly.deployment import new_cli
from blankly.deployment.exchange_data import EXCHANGES

TEMPLATES = {"strategy": "rsi_bot.py", "screener": "rsi_screener.py"}

for exchange in EXCHANGES:
    for kind, template in TEMPLATES.items():
        folder = pathlib.Path(sys.argv[1]) / f"{exchange.name} {kind}"
        folder.mkdir()
        files = {
            "bot.py": new_cli.generate_bot_py(exchange, template),
            "backtest.json": new_cli.generate_backtest_json(exchange),
            "requirements.txt": "blankly\n",
            "keys.json": new_cli.generate_keys_json(),
            "blankly.json": new_cli.generate_blankly_json(None, None, kind),
            "settings.json": new_cli.generate_settings_json("com"),
        }
        for name, text in files.items():
            (folder / name).write_text(text)
