import { Message } from '@lumino/messaging';
import { Widget } from '@lumino/widgets';

import { IApi } from '../api';
import { IChosen } from '../model';
import { messageOf } from '../request';
import { h } from '../view/dom';
import { IView, showComparison, showResult } from '../view/result';

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
      const results = await Promise.all(
        this.runs.map(each => this.api.result(each.account, each.run))
      );
      if (this.isAttached && results.length === 1) {
        this.title.label = `Backtest: ${results[0].title}`;
        this._view = showResult(content, results[0]);
      } else if (this.isAttached) {
        this._view = showComparison(content, results);
      }
    } catch (error) {
      const again = h('button', { class: 'jp-mod-styled jp-mod-accept' }, 'Try again');
      again.addEventListener('click', () => void this._load());
      content.replaceChildren(h('p', { role: 'alert' }, messageOf(error)), again);
    }
  }

  private _view: IView | null = null;
}
