"""What the programs of the peers share: their options, the RSI, how they are timed."""

import json
import resource
import sys
import time

import numpy as np
import pandas as pd

LOW, HIGH, SIZE, PERIOD, WARM_UP = 30, 70, 10, 14, 200


def read_bars(csv):
    table = pd.read_csv(csv)
    table.index = pd.to_datetime(table.pop("time"), unit="s")
    return table


def wilder_rsi(close, period=PERIOD):
    """The RSI of Wilder, begun with plain means: what the other libraries compute too."""
    change = pd.Series(np.asarray(close, dtype=float)).diff()
    averages = []
    for moves in (change.clip(lower=0), -change.clip(upper=0)):
        moves = moves.copy()
        moves.iloc[period] = moves.iloc[1 : period + 1].mean()
        moves.iloc[:period] = np.nan
        averages.append(moves.ewm(alpha=1 / period, adjust=False, ignore_na=True).mean())
    return (100 * averages[0] / (averages[0] + averages[1])).to_numpy()


def main(once):
    """``once(bars, csv)`` -> (final account value, trades); run as often as is asked."""
    options = json.loads(sys.argv[1])
    bars = read_bars(options["csv"])
    seconds, answer = [], None
    for _ in range(options.get("repeat", 1)):
        began = time.perf_counter()
        answer = once(bars, options["csv"])
        seconds.append(time.perf_counter() - began)
    said = {"warm": seconds[1:], "final": float(answer[0]), "trades": int(answer[1])}
    said["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(said))
