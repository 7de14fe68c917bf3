import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { IApi } from '../api';
import { IChosen } from '../model';
import { messageOf } from '../request';
import { h } from '../view/dom';
import { IShown } from '../types';
import { IView, showContent } from '../view/content';

/** The main-area tab of one backtest, or of several side by side. */
export class ResultTab extends Widget {
  constructor(
    private readonly api: IApi,
    private readonly runs: ReadonlyArray<IChosen>
  ) {
    super();
    this.addClass('dm-Tab');
    this.node.tabIndex = -1;
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    void this._load();
  }

  dispose(): void {
    this._view?.dispose();
    this._view = null;
    super.dispose();
  }

  private async _load(): Promise<void> {
    this._view?.dispose();
    this._view = null;
    const content = h('div', {}, h('p', { role: 'status' }, 'Loading the result…'));
    this.node.replaceChildren(content);
    try {
      const shown = await this._ask();
      if (this.isAttached) {
        if (shown.result) {
          this.title.label = `Backtest: ${shown.result.title}`;
        }
        this._view = showContent(content, shown);
      }
    } catch (error) {
      const again = h('button', { class: 'jp-mod-styled jp-mod-accept' }, 'Try again');
      again.addEventListener('click', () => void this._load());
      content.replaceChildren(h('p', { role: 'alert' }, messageOf(error)), again);
    }
  }

  private async _ask(): Promise<IShown> {
    const [first, ...others] = this.runs;
    return others.length > 0
      ? { comparison: await this.api.compare(this.runs) }
      : { result: await this.api.result(first.account, first.run) };
  }

  private _view: IView | null = null;
}
