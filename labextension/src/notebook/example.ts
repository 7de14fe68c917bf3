import { Contents, KernelSpec } from '@jupyterlab/services';

const CELLS: ReadonlyArray<[kind: 'markdown' | 'code', source: string]> = [
  [
    'markdown',
    '# From a cell to a running model\n\nRun the cells one after another, or press **Backtest** ' +
      'and **Deploy** above with the strategy’s cell selected.'
  ],
  ['code', '%load_ext deploy_magics'],
  [
    'code',
    'import numpy as np\nimport pandas as pd\n\n' +
      '# Made-up prices: 60 days of hours. A CSV file or an exchange does as well.\n' +
      'hours = np.arange(24 * 60)\n' +
      'noise = np.random.default_rng(7).normal(0, 0.003, len(hours)).cumsum()\n' +
      'close = 100 * np.exp(0.04 * np.sin(hours / 40) + 0.6 * noise)\n' +
      'prices = pd.DataFrame({\n' +
      '    "time": 1_599_998_400 + 3600 * hours,\n' +
      '    "open": close, "high": close * 1.001, "low": close * 0.999, "close": close,\n' +
      '    "volume": 1.0,\n})'
  ],
  ['code', 'WINDOW = 48  # hours; the model takes this along because it reads it'],
  [
    'code',
    '%%backtest --name "First model" --data BTC-USD=prices --to 58d --initial-values USD=10000\n' +
      'import blankly\n\n\n' +
      'def init(symbol, state):\n' +
      '    state.variables["history"] = state.interface.history(\n' +
      '        symbol, to=WINDOW, resolution="1h", return_as="deque"\n    )["close"]\n\n\n' +
      'def price_event(price, symbol, state):\n' +
      '    history = state.variables["history"]\n' +
      '    history.append(price)\n' +
      '    mean = sum(list(history)[-WINDOW:]) / WINDOW\n' +
      '    held = blankly.trunc(state.interface.account[state.base_asset]["available"], 4)\n' +
      '    if price > 1.005 * mean and not held:\n' +
      '        size = blankly.trunc(0.95 * state.interface.cash / price, 4)\n' +
      '        state.interface.market_order(symbol, side="buy", size=size)\n' +
      '        print(f"bought {size} at {price:.2f}")\n' +
      '    elif price < 0.995 * mean and held:\n' +
      '        state.interface.market_order(symbol, side="sell", size=held)\n' +
      '        print(f"sold {held} at {price:.2f}")\n\n\n' +
      'exchange = blankly.CoinbasePro()\n' +
      'strategy = blankly.Strategy(exchange)\n' +
      'strategy.add_price_event(price_event, "BTC-USD", resolution="1h", init=init)\n\n' +
      'if __name__ == "__main__":\n' +
      '    if blankly.is_deployed:\n        strategy.start()\n' +
      '    else:\n        strategy.backtest(to="58d", initial_values={"USD": 10000})'
  ],
  ['code', '%deploy --message "Follow the trend"']
];

/** A new notebook with a strategy to try; returns its path. */
export async function makeExample(
  contents: Contents.IManager,
  specs: KernelSpec.ISpecModels | null,
  folder: string
): Promise<string> {
  const { path } = await contents.newUntitled({ path: folder, type: 'notebook' });
  const cells = CELLS.map(([kind, source], index) => ({
    cell_type: kind,
    id: `example-${index}`,
    metadata: {},
    source,
    ...(kind === 'code' ? { execution_count: null, outputs: [] } : {})
  }));
  const name = specs?.default ?? 'python3';
  const kernelspec = { name, display_name: specs?.kernelspecs[name]?.display_name ?? 'Python 3' };
  const content = { cells, metadata: { kernelspec }, nbformat: 4, nbformat_minor: 5 };
  await contents.save(path, { type: 'notebook', format: 'json', content });
  return path;
}
