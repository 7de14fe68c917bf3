import { lineOf, magicOf, valuesOf, wordsOf } from '../notebook/magicline';
import { placeFor } from '../notebook/run';
import { option } from './data';

const OPTIONS = [
  option('data', { shape: 'pairs' }),
  option('start_date'),
  option('fresh', { shape: 'switch' }),
  option('engine', { default: 'fast', choices: ['fast', 'plain'] })
];

describe('magicOf', () => {
  it.each([
    ['%%backtest --to 1y\nx = 1', { name: 'backtest', cell: true, line: '--to 1y', body: 'x = 1' }],
    ['%deploy', { name: 'deploy', cell: false, line: '', body: '' }],
    ['\n%%deploy\n', { name: 'deploy', cell: true, line: '', body: '' }],
    ['%deploy_status', null],
    ['%backtests', null],
    ['x = 1', null]
  ])('reads %j', (source, expected) => {
    expect(magicOf(source)).toEqual(expected);
  });
});

describe('a line', () => {
  it.each([
    ['a "b c" d', ['a', 'b c', 'd']],
    ['--name="A \\"B\\""', ['--name=A "B"']],
    ["'x y'=1 ", ['x y=1']],
    ['', []]
  ])('has the words that the magics read in %j', (line, words) => {
    expect(wordsOf(line)).toEqual(words);
  });

  it('gives values, and keeps what it does not know', () => {
    const line = '--data A=a.csv --data "B=my file.csv" --fresh --engine=plain --odd thing';
    expect(valuesOf(line, OPTIONS)).toEqual({
      values: { data: 'A=a.csv\nB=my file.csv', fresh: 'true', engine: 'plain' },
      rest: '--odd thing'
    });
  });

  it('comes out as it went in', () => {
    const line = '--data A=a.csv --data "B=my file.csv" --start-date 2017-05-01 --fresh';
    const { values, rest } = valuesOf(line, OPTIONS);
    expect(lineOf(values, OPTIONS, rest)).toBe(line);
  });

  it('leaves defaults unsaid', () => {
    expect(lineOf({ engine: 'fast', start_date: ' ' }, OPTIONS)).toBe('');
  });
});

describe('placeFor', () => {
  const place = (action: 'backtest' | 'deploy', source: string) => {
    const { where, cell } = placeFor(action, source, magicOf(source));
    return `${where} ${cell ? '%%' : '%'}`;
  };

  it.each([
    ['backtest', 'strategy = 1', 'here %%'],
    ['backtest', '%%backtest\nx', 'here %%'],
    ['backtest', '%backtest', 'here %'],
    ['deploy', '%%backtest\nx', 'below %'],
    ['deploy', '%load_ext deploy_magics', 'below %'],
    ['deploy', '', 'here %']
  ] as const)('puts %s of %j %s', (action, source, expected) => {
    expect(place(action, source)).toBe(expected);
  });
});
