import { IShown } from '../types';
import { showComparison } from './comparison';
import { IView, showResult } from './result';

export { IView };

/** Draws what a tab, a widget or an output shows. */
export function showContent(element: HTMLElement, { result, comparison }: IShown): IView {
  if (comparison) {
    return showComparison(element, comparison);
  }
  if (result) {
    return showResult(element, result);
  }
  element.replaceChildren('This result was saved in a form that is not known any more.');
  return { dispose: () => undefined };
}
