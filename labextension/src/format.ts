import { IRun, RunState } from './types';

const UNITS: ReadonlyArray<[number, string]> = [
  [86400, 'd'],
  [3600, 'h'],
  [60, 'min']
];

/** How long ago a moment was, in its largest unit: "3 min ago". Times are in seconds. */
export function ago(time: number | null, now: number = Date.now() / 1000): string {
  if (time === null) {
    return '';
  }
  const seconds = Math.max(0, now - time);
  for (const [size, unit] of UNITS) {
    if (seconds >= size) {
      return `${Math.floor(seconds / size)} ${unit} ago`;
    }
  }
  return 'just now';
}

/** A moment in the reader's own time zone, to the minute. */
export function moment(time: number | null): string {
  if (time === null) {
    return '';
  }
  return new Date(time * 1000).toLocaleString(undefined, {
    dateStyle: 'medium',
    timeStyle: 'short'
  });
}

/** A state as a word; a live run that runs is "live". */
export function stateLabel(state: RunState | null, kind?: IRun['kind']): string {
  if (state === null) {
    return 'not run';
  }
  if (kind === 'live') {
    if (state === 'running') {
      return 'live';
    }
    if (state === 'cancelled') {
      return 'stopped';
    }
  }
  return state;
}

export function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

/** The server of an account, short: without the scheme. */
export function host(server: string): string {
  return server.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '');
}
