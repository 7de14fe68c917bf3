"""How far the library's own loop is; the fast engine tells it itself."""

import time


def install(events):
    from blankly.exchanges.interfaces.paper_trade.backtest_controller import BackTestController

    sleep = BackTestController.sleep

    def telling_sleep(self, seconds):
        sleep(self, seconds)
        if time.monotonic() >= events.next_progress:
            tell(events, self)

    BackTestController.sleep = telling_sleep


def tell(events, controller):
    bar = float(controller.min_resolution or 60)
    total = max(1, int((controller.user_stop - controller.user_start) / bar))
    done = min(total, int((controller.time - controller.user_start) / bar))
    rows = controller.traded_account_values
    equity = rows[-1].get("Account Value (%s)" % controller.quote_currency) if rows else None
    events.progress(done, total, controller.time, equity)
