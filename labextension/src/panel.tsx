import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import * as React from 'react';

import { IPanelActions, Panel } from './components/Panel';
import { panelIcon } from './icons';
import { OverviewModel } from './model';
import { PANEL_ID } from './tokens';

/** The widget in the left bar; it asks for news only while it is in sight. */
export class PanelWidget extends ReactWidget {
  constructor(
    readonly model: OverviewModel,
    private readonly actions: IPanelActions
  ) {
    super();
    this.id = PANEL_ID;
    this.addClass('dm-Panel');
    this.title.icon = panelIcon;
    this.title.caption = 'Deploy Magics: projects, versions and runs';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Deploy Magics');
  }

  /** The server that the settings name. */
  set server(value: string) {
    this._server = value;
    this.update();
  }

  protected onAfterShow(message: Message): void {
    super.onAfterShow(message);
    this.model.active = true;
  }

  protected onAfterHide(message: Message): void {
    super.onAfterHide(message);
    this.model.active = false;
  }

  protected onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    this.model.active = this.isVisible;
  }

  protected render(): JSX.Element {
    return <Panel model={this.model} actions={this.actions} server={this._server} />;
  }

  private _server = '';
}
