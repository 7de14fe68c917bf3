// Bundles the views of deploy_magics.widgets into ES modules that anywidget loads as they are:
// one self-contained file each, nothing is fetched from elsewhere.
const path = require('path');
const { rspack } = require('@rspack/core');

const compiler = rspack({
  mode: 'production',
  devtool: false,
  context: __dirname,
  entry: { result: './lib/widget/index.js' },
  experiments: { outputModule: true },
  output: {
    path: path.resolve(__dirname, '../deploy_magics/widgets/static'),
    filename: '[name].js',
    library: { type: 'module' },
    module: true,
    chunkFormat: 'module',
    clean: true
  },
  module: {
    rules: [{ test: /\.css$/, type: 'asset/source' }]
  },
  optimization: { splitChunks: false, runtimeChunk: false },
  plugins: [
    new rspack.BannerPlugin({
      // after the minimizer, which drops comments
      stage: rspack.Compilation.PROCESS_ASSETS_STAGE_REPORT,
      banner:
        'Contains Lightweight Charts(TM), Copyright (c) TradingView, Inc. ' +
        'https://www.tradingview.com/ Licensed under the Apache License, Version 2.0: ' +
        'https://www.apache.org/licenses/LICENSE-2.0'
    })
  ],
  performance: { hints: false },
  target: ['web', 'es2020']
});

compiler.run((error, stats) => {
  if (error || stats.hasErrors()) {
    process.stderr.write(`${error || stats.toString({ colors: false })}\n`);
    process.exitCode = 1;
  }
  compiler.close(() => undefined);
});
