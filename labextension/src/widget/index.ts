import { IResult } from '../types';
import { IView, showComparison, showResult } from '../view/result';
import css from '../../style/view.css';

/** The kernel side: `deploy_magics.widgets`. */
interface IResultModel {
  get(name: 'results'): IResult[];
  on(event: 'change:results', listener: () => void): void;
  off(event: 'change:results', listener: () => void): void;
}

/** What anywidget gives to `render`. */
interface IRenderContext {
  model: IResultModel;
  el: HTMLElement;
}

/** Draws `results` of the model: one as itself, several side by side. */
function render({ model, el }: IRenderContext): () => void {
  const style = document.createElement('style');
  style.textContent = css;
  const box = document.createElement('div');
  el.replaceChildren(style, box);
  let view: IView | null = null;
  const draw = () => {
    view?.dispose();
    const results = model.get('results');
    view = results.length === 1 ? showResult(box, results[0]) : showComparison(box, results);
  };
  draw();
  model.on('change:results', draw);
  return () => {
    model.off('change:results', draw);
    view?.dispose();
  };
}

export default { render };
