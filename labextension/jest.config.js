const jestJupyterLab = require('@jupyterlab/testutils/lib/jest-config');

const esModules = [
  '@codemirror',
  '@jupyter/',
  '@jupyterlab/',
  '@microsoft/',
  'd3',
  'exenv-es6',
  'fancy-canvas',
  'lib0',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

const base = jestJupyterLab(__dirname);

module.exports = {
  ...base,
  automock: false,
  moduleNameMapper: {
    ...base.moduleNameMapper,
    // it draws on a canvas, which the tests' DOM has not
    '^lightweight-charts$': '<rootDir>/src/__tests__/charts.ts'
  },
  reporters: ['default'],
  testRegex: 'src/__tests__/.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!(${esModules}).+)`]
};
