"""As much of an exchange as ``freqtrade backtesting`` asks for: its list of markets."""

import http.server
import json
import sys
import threading
import time

MARKET = {
    "symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "baseAssetPrecision": 8,
    "quoteAsset": "USDT", "quotePrecision": 8, "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False, "permissions": ["SPOT"], "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.0001", "maxPrice": "1000000.0",
         "tickSize": "0.0001"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000000.0",
         "stepSize": "0.00001"},
    ],
}  # fmt: skip


class Markets(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        known = self.path.startswith("/api/v3/exchangeInfo")
        answer = {"timezone": "UTC", "serverTime": int(time.time() * 1000), "rateLimits": [],
                  "exchangeFilters": [], "symbols": [MARKET] if known else []}  # fmt: skip
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *rest):
        pass


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Markets)
    print(server.server_port, flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
