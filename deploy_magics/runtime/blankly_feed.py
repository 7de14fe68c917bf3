"""The given prices in place of whatever exchange the model constructs.

Every exchange class of the library keeps its name and type, so that a model written for one finds
its cash currency and its rules; what it would ask over the network is answered from the prices of
the job. No key is read and nothing leaves the machine.
"""

from .arguments import DEFAULT_CASH
from .tracebacks import Explained

MOST = 1e15
LEAST = 1e-9
NO_LIVE_FUTURES = (
    "The library has no paper account for futures on live prices: deploy this model on a replay"
    " (--data), or with --live on its own exchange."
)


def install(prices, fees=None, opened=None, values=None):
    """Replaces the construction of every exchange.

    ``fees``: (maker, taker), default nothing. ``opened``: called with each spot account
    and what it begins with.
    ``values``: what the spot accounts begin with, by asset, whatever the model says.
    """
    import blankly
    from blankly.exchanges.exchange import Exchange
    from blankly.exchanges.futures.futures_exchange import FuturesExchange

    fees = fees or (0, 0)
    found = {value for value in vars(blankly).values() if isinstance(value, type)}
    for kind in found - {blankly.PaperTrade, Exchange, FuturesExchange}:
        if issubclass(kind, Exchange):
            _replace_spot(kind, prices, fees, opened, values)
        elif issubclass(kind, FuturesExchange):
            _replace_futures(kind, prices, fees)
    if hasattr(prices, "prices_info"):
        _replace_reader(prices)


def type_of(kind):
    """The library's word for an exchange class: ``CoinbasePro`` is ``coinbase_pro``."""
    return kind.__module__.rsplit(".", 1)[1]


def _argument(arguments, keywords, position, name):
    if name in keywords:
        return keywords[name]
    return arguments[position] if len(arguments) > position else None


def _replace_spot(kind, prices, fees, opened=None, given=None):
    from blankly.exchanges.exchange import Exchange

    exchange_type = type_of(kind)

    def __init__(self, *arguments, **keywords):
        import blankly
        from blankly.exchanges.interfaces.paper_trade.paper_trade_interface import (
            PaperTradeInterface,
        )

        maker, taker = fees
        values = given
        if exchange_type == "keyless":
            maker = _argument(arguments, keywords, 0, "maker_fee") or maker
            taker = _argument(arguments, keywords, 1, "taker_fee") or taker
            name = _argument(arguments, keywords, 2, "portfolio_name")
            settings = _argument(arguments, keywords, 3, "settings_path")
            values = values or _argument(arguments, keywords, 5, "initial_account_values")
        else:
            name = _argument(arguments, keywords, 0, "portfolio_name")
            settings = _argument(arguments, keywords, 2, "settings_path")
        Exchange.__init__(self, exchange_type, name, settings)
        self.calls = spot_calls()(exchange_type, prices, maker, taker)
        if opened is not None and values is None:
            cash = self.preferences["settings"].get(exchange_type, {}).get("cash") or "USD"
            values = {cash: DEFAULT_CASH}
        self.interface = PaperTradeInterface(self.calls, values)
        if opened is not None:
            self.interface.full_prices = prices  # the names of the products, for the library
            opened(self.interface, values)
        blankly.reporter.export_used_exchange(exchange_type)

    def get_asset_state(self, symbol):
        return self.interface.get_account(symbol)

    def get_direct_calls(self):
        return self.calls

    kind.__init__ = __init__
    kind.get_asset_state = get_asset_state
    kind.get_direct_calls = get_direct_calls


_classes = {}


def spot_calls():
    """The class that answers for a spot exchange; made once the library is there."""
    if "spot" in _classes:
        return _classes["spot"]
    from blankly.exchanges.interfaces.keyless.keyless_api import KeylessAPI
    from blankly.utils.utils import AttributeDict

    class SpotCalls(KeylessAPI):
        def __init__(self, exchange_type, prices, maker, taker):
            self._type = exchange_type
            self._prices = prices
            super().__init__(maker, taker, _NoReader())
            self.exchange_name = exchange_type

        def get_exchange_type(self):
            return self._type

        def get_product_history(self, symbol, epoch_start, epoch_stop, resolution):
            if not hasattr(self._prices, "live"):  # a backtest wants one bar more to begin with
                epoch_start -= resolution
            return self._prices.between(symbol, epoch_start, epoch_stop, resolution)

        def get_price(self, symbol, time=None):
            return self._prices.price(symbol)

        def get_fees(self, symbol):
            asked = getattr(self._prices, "fees", None)
            return self.fees if asked is None else asked(symbol)

        def get_products(self):
            return [
                {
                    "symbol": symbol,
                    "base_asset": symbol.split("-")[0],
                    "quote_asset": (symbol.split("-") + ["USD"])[1],
                    "base_min_size": LEAST,
                    "base_max_size": MOST,
                    "base_increment": LEAST,
                    "exchange_specific": {},
                }
                for symbol in self._prices.symbols
            ]

        def get_account(self, symbol=None):
            cash = self.user_preferences["settings"].get(self._type, {}).get("cash")
            assets = self._prices.assets + ([cash] if cash else [])
            accounts = AttributeDict(
                {asset: AttributeDict({"available": 0.0, "hold": 0.0}) for asset in assets}
            )
            return accounts if symbol is None else accounts[symbol.split("-")[0]]

        def get_order_filter(self, symbol):
            answer = super().get_order_filter(symbol)
            answer["exchange_specific"] = {
                "shortable": True,
                "limit_multiplier_down": LEAST,
                "limit_multiplier_up": MOST,
            }
            return answer

    _classes["spot"] = SpotCalls
    return SpotCalls


class _NoReader:
    data = {}
    prices_info = {}


def _replace_futures(kind, prices, fees):
    from blankly.exchanges.futures.futures_exchange import FuturesExchange

    exchange_type = type_of(kind)

    def __init__(self, *arguments, **keywords):
        if hasattr(prices, "live"):
            raise Explained(NO_LIVE_FUTURES)
        name = _argument(arguments, keywords, 0, "portfolio_name")
        settings = _argument(arguments, keywords, 2, "preferences_path")
        FuturesExchange.__init__(self, exchange_type, name, settings)
        self._given_interface = futures_interface()(exchange_type, prices, fees)

    kind.__init__ = __init__
    kind.calls = property(lambda self: self._given_interface.calls)
    kind.interface = property(lambda self: self._given_interface)


def futures_interface():
    """The class that answers for a futures exchange."""
    if "futures" in _classes:
        return _classes["futures"]
    from blankly.enums import HedgeMode, MarginType
    from blankly.exchanges.interfaces.futures_exchange_interface import FuturesExchangeInterface

    def refuse(self, *_, **__):
        raise RuntimeError("This exchange stands on given prices: it has no live futures account.")

    class FuturesCalls(FuturesExchangeInterface):
        def __init__(self, exchange_type, prices, fees):
            self._prices = prices
            self._fees = fees
            super().__init__(exchange_type, self)

        def init_exchange(self):
            pass

        def get_products(self, symbol=None):
            products = {
                name: {
                    "symbol": name,
                    "base_asset": name.split("-")[0],
                    "quote_asset": (name.split("-") + ["USD"])[1],
                    "price_precision": 9,
                    "size_precision": 9,
                    "exchange_specific": {},
                }
                for name in self._prices.symbols
            }
            return products[symbol] if symbol else products

        def get_account(self, symbol=None):
            accounts = {name: {"available": 0.0, "hold": 0.0} for name in self._prices.assets}
            return accounts[symbol] if symbol else accounts

        def get_position(self, symbol=None):
            return None if symbol else {}

        def get_product_history(self, symbol, epoch_start, epoch_stop, resolution):
            return self._prices.between(symbol, epoch_start - resolution, epoch_stop, resolution)

        def get_price(self, symbol):
            return self._prices.price(symbol)

        def get_maker_fee(self):
            return self._fees[0]

        def get_taker_fee(self):
            return self._fees[1]

        def get_funding_rate_history(self, symbol, epoch_start, epoch_stop):
            return []  # prices carry no funding rates

        def get_funding_rate(self, symbol):
            return 0.0

        def get_funding_rate_resolution(self):
            return 8 * 3600

        def get_hedge_mode(self):
            return HedgeMode.ONEWAY

        def get_leverage(self, symbol=None):
            return 1

        def get_margin_type(self, symbol):
            return MarginType.CROSSED

        def get_open_orders(self, symbol=None):
            return []

        market_order = limit_order = take_profit_order = stop_loss_order = refuse
        set_hedge_mode = set_leverage = set_margin_type = cancel_order = get_order = refuse

    _classes["futures"] = FuturesCalls
    return FuturesCalls


def _replace_reader(prices):
    """A model's own price file that was not shipped: the given prices stand in for it."""
    from blankly.data.data_reader import PriceReader

    original = PriceReader.__init__

    def __init__(self, file_path, symbol):
        try:
            original(self, file_path, symbol)
        except FileNotFoundError:
            names = [symbol] if isinstance(symbol, str) else list(symbol or ())
            if not names or any(name not in prices.symbols for name in names):
                raise
            self._internal_dataset = {name: prices.data[name] for name in names}
            self.prices_info = {name: prices.prices_info[name] for name in names}

    PriceReader.__init__ = __init__
