import { act } from 'react';
import { createRoot, Root } from 'react-dom/client';
import * as React from 'react';

import { IApi } from '../api';
import { IPanelActions, Panel } from '../components/Panel';
import { OverviewModel } from '../model';

let root: Root;
export let box: HTMLElement;

beforeEach(() => {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  box = document.createElement('div');
  document.body.append(box);
  root = createRoot(box);
});

afterEach(() => {
  act(() => root.unmount());
  box.remove();
});

export async function show(api: jest.Mocked<IApi>) {
  const model = new OverviewModel(api);
  const actions: jest.Mocked<IPanelActions> = {
    openLogs: jest.fn(),
    openActivity: jest.fn(),
    openResult: jest.fn(),
    compare: jest.fn(),
    newExample: jest.fn()
  };
  await act(async () => root.render(<Panel model={model} actions={actions} server="" />));
  await act(() => model.refresh());
  return { model, actions };
}

export function button(name: string): HTMLButtonElement {
  const found = [...box.querySelectorAll('button')].find(
    each => each.textContent?.trim() === name || each.getAttribute('aria-label') === name
  );
  if (!found) {
    throw new Error(`no button ${name} in ${box.textContent}`);
  }
  return found;
}

export const press = (name: string) => act(async () => button(name).click());

export async function fill(selector: string, text: string): Promise<void> {
  const input = box.querySelector<HTMLInputElement>(selector);
  await act(async () => {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')?.set?.call(input, text);
    input?.dispatchEvent(new Event('input', { bubbles: true }));
  });
}
