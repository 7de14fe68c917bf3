import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { RequestError, messageOf } from '../request';
import { ENDED, ILogs } from '../types';
import { h } from '../view/dom';

/** Seconds that the server may keep a question open until there is something to say. */
const WAIT = 10;
const RETRY_MS = 2000;
const KEPT_CHARACTERS = 2_000_000;

/** Where the text of a tab comes from. */
export interface ILogSource {
  heading: string;
  /** What is said where there is nothing to show. */
  empty: string;
  /** What is new since `offset`; may stay open for `wait` seconds until there is something. */
  read(offset: number, wait: number, signal: AbortSignal): Promise<ILogs>;
}

/** A log, followed until what it is about ends; goes on by itself after an interruption. */
export class LogsTab extends Widget {
  constructor(private readonly source: ILogSource) {
    super();
    this.addClass('dm-Tab');
    this.addClass('dm-Logs');
    this.node.tabIndex = -1;
    this._follow.checked = true;
    this.node.append(
      h(
        'div',
        { class: 'dm-LogsHeader' },
        h('h2', {}, source.heading),
        this._state,
        h('label', {}, this._follow, ' Follow')
      ),
      this._text
    );
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    void this._read();
  }

  dispose(): void {
    this._stop.abort();
    super.dispose();
  }

  private async _read(): Promise<void> {
    let offset = 0;
    let wait = 0;
    while (!this.isDisposed) {
      try {
        const { signal } = this._stop;
        const logs = await this.source.read(offset, wait, signal);
        offset = logs.offset;
        this._append(logs.text);
        this._state.textContent = logs.state === 'cancelled' ? 'stopped' : logs.state;
        this._state.dataset.state = logs.state;
        if (ENDED.has(logs.state) && !logs.text) {
          this._finish();
          return;
        }
        wait = ENDED.has(logs.state) ? 0 : WAIT;
      } catch (error) {
        if (this.isDisposed) {
          return;
        }
        this._state.textContent = messageOf(error);
        this._state.dataset.state = 'failed';
        if (error instanceof RequestError && error.status === 404) {
          return;
        }
        await new Promise(resolve => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private _append(text: string): void {
    if (!text) {
      return;
    }
    const kept = (this._text.textContent ?? '') + text;
    this._text.textContent = kept.slice(-KEPT_CHARACTERS);
    if (this._follow.checked) {
      this._text.scrollTop = this._text.scrollHeight;
    }
  }

  private _finish(): void {
    if (!this._text.textContent) {
      this._text.textContent = this.source.empty;
    }
  }

  private readonly _stop = new AbortController();
  private readonly _state = h('span', { class: 'dm-StateBadge', role: 'status' }, 'loading');
  private readonly _follow = h('input', { type: 'checkbox' });
  private readonly _text = h('pre', {
    class: 'dm-LogsText',
    role: 'log',
    tabindex: '0',
    'aria-label': 'Logs'
  });
}
