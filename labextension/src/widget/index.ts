import { IShown } from '../types';
import { IView, showContent } from '../view/content';
import css from '../../style/view.css';

/** The kernel side: `deploy_magics.widgets`. */
interface IResultModel {
  get(name: 'shown'): IShown;
  on(event: 'change:shown', listener: () => void): void;
  off(event: 'change:shown', listener: () => void): void;
}

/** What anywidget gives to `render`. */
interface IRenderContext {
  model: IResultModel;
  el: HTMLElement;
}

/** Draws what the model shows: a result, or several side by side. */
function render({ model, el }: IRenderContext): () => void {
  const style = document.createElement('style');
  style.textContent = css;
  const box = document.createElement('div');
  el.replaceChildren(style, box);
  let view: IView | null = null;
  const draw = () => {
    view?.dispose();
    view = showContent(box, model.get('shown'));
  };
  draw();
  model.on('change:shown', draw);
  return () => {
    model.off('change:shown', draw);
    view?.dispose();
  };
}

export default { render };
