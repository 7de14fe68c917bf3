"""The library's own seam for a platform: it imports ``Reporter`` from ``blankly_external``.

The runner puts this module under that name before ``blankly`` is imported. What the library
reports goes to ``sink``, which is None in a warm process that has no run yet.
"""


class _Reporter:
    sink = None

    def _tell(self, name, *arguments):
        handler = getattr(self.sink, name, None)
        if handler is not None:
            handler(*arguments)

    def export_strategy(self, strategy):
        self._tell("strategy_made", strategy)

    def export_screener(self, screener):
        self._tell("screener_made", screener)

    def export_screener_result(self, screener):
        self._tell("screener_done", screener)

    def export_backtest_result(self, platform_result):
        self._tell("backtest_done", platform_result)

    def export_used_exchange(self, exchange_name):
        self._tell("exchange_used", exchange_name)

    def export_used_symbol(self, symbol):
        self._tell("symbol_used", symbol)

    def log_market_order(self, exchange_out, exchange_type):
        self._tell("order_logged", exchange_out, exchange_type)

    def log_limit_order(self, exchange_out, exchange_type):
        self._tell("order_logged", exchange_out, exchange_type)

    def update_order(self, exchange_out, exchange_type):
        self._tell("order_updated", exchange_out, exchange_type)

    def annotate_order(self, order_id, annotation):
        self._tell("order_annotated", order_id, annotation)

    def export_live_var(self, var, name, description=None):
        self._tell("variable_exported", var, name, description)

    def update_live_var(self, var):
        return var

    def text(self, text):
        self._tell("message_sent", "text", text)

    def email(self, email, **_):
        self._tell("message_sent", "email", email)

    def chat(self, chat):
        self._tell("message_sent", "chat", chat)


Reporter = _Reporter()
