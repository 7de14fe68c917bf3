import { IOption } from '../types';

/** What a user filled in, by option name; lists have one entry per line. */
export type Values = { [name: string]: string };

/** A magic's line taken apart: `%%backtest --to 1y` and what is below it. */
export interface IMagic {
  name: string;
  cell: boolean;
  line: string;
  body: string;
}

const MAGIC = /^\s*(%%?)(backtest|deploy)(?![\w])[ \t]*(.*)(?:\n|$)/;

/** The magic of ours that a cell starts with, null where it starts with something else. */
export function magicOf(source: string): IMagic | null {
  const match = MAGIC.exec(source);
  if (!match) {
    return null;
  }
  const [whole, sigils, name, line] = match;
  return { name, cell: sigils === '%%', line: line.trim(), body: source.slice(whole.length) };
}

/** Words of a line as the magics read them: quotes keep spaces together. */
export function wordsOf(line: string): string[] {
  const words: string[] = [];
  const pattern = /(?:[^\s"']|"(?:\\.|[^"\\])*"|'[^']*')+/g;
  for (const [word] of line.matchAll(pattern)) {
    words.push(
      word.replace(/"((?:\\.|[^"\\])*)"|'([^']*)'/g, (_, double?: string, single?: string) =>
        double === undefined ? (single ?? '') : double.replace(/\\(["\\])/g, '$1')
      )
    );
  }
  return words;
}

/** A word as it has to be typed. */
export function quoted(word: string): string {
  return /^[\w./:=,+@%-]+$/.test(word) ? word : `"${word.replace(/(["\\])/g, '\\$1')}"`;
}

/** The values that a line gives; what is no known option is in `rest`, as it was typed. */
export function valuesOf(line: string, options: IOption[]): { values: Values; rest: string } {
  const values: Values = {};
  const rest: string[] = [];
  const words = wordsOf(line);
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const [flag, ...after] = word.split('=');
    const option = options.find(each => each.flag === flag);
    if (!option || !word.startsWith('--')) {
      rest.push(quoted(word));
    } else if (option.shape === 'switch') {
      values[option.name] = 'true';
    } else {
      const value = after.length > 0 ? after.join('=') : (words.shift() ?? '');
      const before = values[option.name];
      const several = option.shape !== 'one' && before !== undefined;
      values[option.name] = several ? `${before}\n${value}` : value;
    }
  }
  return { values, rest: rest.join(' ') };
}

/** The line that gives these values; what is empty or the default stays unsaid. */
export function lineOf(values: Values, options: IOption[], rest = ''): string {
  const words: string[] = rest ? [rest] : [];
  for (const option of options) {
    const value = (values[option.name] ?? '').trim();
    if (option.shape === 'switch') {
      if (value === 'true') {
        words.push(option.flag);
      }
    } else if (value && value !== option.default) {
      for (const each of option.shape === 'one' ? [value] : value.split('\n')) {
        if (each.trim()) {
          words.push(option.flag, quoted(each.trim()));
        }
      }
    }
  }
  return words.join(' ');
}
