import * as React from 'react';

import { RunState } from '../types';

/** A state as a word with a colour; the word says it all. */
export function State({ state, text }: { state: RunState | null; text: string }): JSX.Element {
  return (
    <span className="dm-StateBadge" data-state={state ?? 'none'}>
      {text}
    </span>
  );
}
