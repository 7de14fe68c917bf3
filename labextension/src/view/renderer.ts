import { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { Widget } from '@lumino/widgets';

import { IShown } from '../types';
import { IView, showContent } from './content';

/** What `deploy_magics.widgets` puts beside its widgets; it stays in saved notebooks. */
export const MIME = 'application/vnd.deploy-magics.result+json';

/** Before the widgets' own view, which needs the kernel that made it. */
export const RANK = -20;

/** Draws the results that an output carries, with or without a kernel. */
export class ResultRenderer extends Widget implements IRenderMime.IRenderer {
  constructor() {
    super();
    this.addClass('dm-Output');
  }

  /** An output that comes again with the same data (only its picture is new) stays as it is. */
  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    const data = JSON.stringify(model.data[MIME]);
    if (data !== this._data) {
      this._view?.dispose();
      this._view = showContent(this.node, model.data[MIME] as unknown as IShown);
      this._data = data;
    }
  }

  dispose(): void {
    this._view?.dispose();
    this._view = null;
    super.dispose();
  }

  private _view: IView | null = null;
  private _data: string | undefined;
}

export const rendererFactory: IRenderMime.IRendererFactory = {
  safe: true,
  mimeTypes: [MIME],
  defaultRank: RANK,
  createRenderer: () => new ResultRenderer()
};
