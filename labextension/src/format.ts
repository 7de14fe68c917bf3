import { IRun } from './types';

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

/** A run's state as a word; a live run that runs is "live". */
export function stateLabel(run: IRun): string {
  if (run.kind !== 'live') {
    return run.state;
  }
  if (run.restarts > 0 && ['queued', 'building'].includes(run.state)) {
    return 'restarting';
  }
  if (run.state === 'running') {
    return run.real ? 'live, real orders' : 'live';
  }
  return run.state === 'cancelled' ? 'stopped' : run.state;
}

/** How often a live run fell and was started again; empty where it never did. */
export function restartsOf({ restarts }: IRun): string {
  return restarts === 0 ? '' : restarts === 1 ? '1 restart' : `${restarts} restarts`;
}

/** A moment soon to come: "in 12 s", or "now". */
export function soon(time: number, now: number = Date.now() / 1000): string {
  const seconds = Math.ceil(time - now);
  return seconds > 0 ? `in ${seconds} s` : 'now';
}

export function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

/** The server of an account, short: without the scheme. */
export function host(server: string): string {
  return server.replace(/^[a-z]+:\/\//, '').replace(/\/+$/, '');
}
