"""A backtest's outcome, taken out of the library's objects: plain values and arrays."""

from .orders import orders_of


def last_orders(interface):
    return orders_of(interface)[-10:]


def result_of(model, result, used, failures):
    """One result: ``arrays`` (name -> float64) beside what goes to JSON."""
    history = result.history_and_returns["history"]
    quote = result.quote_currency
    value_column = "Account Value (%s)" % quote
    arrays = {}
    for column in history.columns:
        name = "value" if column == value_column else column
        arrays["history/%s" % name] = history[column].to_numpy(dtype="float64")
    values = arrays["history/value"]
    metrics = result.metrics
    return {
        "arrays": arrays,
        "metrics": {key: entry["value"] for key, entry in metrics.items()},
        "metric_names": {key: entry["display_name"] for key, entry in metrics.items()},
        "orders": orders_of(model.interface),
        "args_used": used,
        "symbols": list(result.history),
        "quote_asset": quote,
        "exchange": result.exchange,
        "initial_value": values[0],
        "final_value": values[-1],
        "start_time": arrays["history/time"][0],
        "stop_time": arrays["history/time"][-1],
        "callback_errors": failures.callbacks,
        "bars": sum(len(table) for table in result.history.values()),
    }
