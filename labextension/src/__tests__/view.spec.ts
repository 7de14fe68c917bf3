import { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import { h, table } from '../view/dom';
import { showComparison } from '../view/comparison';
import { showContent } from '../view/content';
import { number, showResult, utc } from '../view/result';
import { MIME, rendererFactory } from '../view/renderer';
import { isDark } from '../view/theme';
import { drawn } from './charts';
import { comparison, result } from './data';

describe('the view', () => {
  it('never reads text as HTML', () => {
    const element = table('<b>caption</b>', ['a'], [['<img src=x>']]);
    expect(element.querySelector('img, b')).toBeNull();
    expect(h('p', { title: '"x"' }, '<i>').innerHTML).toBe('&lt;i&gt;');
  });

  it.each([
    [1.123456789, '1.12346'],
    [2, '2'],
    [12345678, '12345700']
  ])('writes %d as %s', (value, text) => {
    expect(number(value)).toBe(text);
  });

  it('writes times in UTC', () => {
    expect(utc(0)).toBe('1970-01-01 00:00');
  });

  it('knows dark from light', () => {
    expect(isDark('rgb(17, 17, 17)')).toBe(true);
    expect(isDark('rgb(255, 255, 255)')).toBe(false);
  });
});

describe('a result', () => {
  it('is drawn with its trades on the price, and said in tables', () => {
    const shown = result();
    shown.prices = { 'EUR-USD': [{ time: 1000, value: 1.1 }] };
    const element = document.createElement('div');
    const view = showResult(element, shown);
    expect(drawn.map(each => [each.options.title, each.pane])).toEqual([
      ['Equity', 0],
      ['Drawdown', 1],
      ['EUR-USD', 2]
    ]);
    expect(drawn[2].markers).toMatchObject([{ time: 1500, shape: 'arrowUp' }]);
    expect(element.querySelector('[role=list]')?.textContent).toBe('Return (%)10.00');
    expect(element.querySelector('tbody')?.textContent).toContain('1970-01-01 00:25buy');
    view.dispose();
    expect(drawn).toEqual([]);
  });

  it('is drawn again when the theme changes', async () => {
    const view = showResult(document.createElement('div'), result());
    const before = drawn[0];
    document.body.setAttribute('data-jp-theme-light', 'false');
    await new Promise(resolve => setTimeout(resolve, 0));
    expect(drawn[0]).not.toBe(before);
    view.dispose();
  });

});

describe('a comparison', () => {
  it('has curves, differences, what was asked, and what changed in the code', () => {
    const element = document.createElement('div');
    const view = showComparison(element, comparison());
    expect(drawn.map(each => each.data[1].value.toFixed(2))).toEqual(['0.10', '0.10']);
    const [metrics, changed] = [...element.querySelectorAll('table')];
    expect(metrics.textContent).toContain('Δ B');
    expect(metrics.querySelector('tbody')?.textContent).toBe('Return (%)10.0012.00+2.00');
    expect(changed.querySelector('tbody')?.textContent).toBe('to1y2y');
    expect(element.querySelector('.dm-Diff-removed')?.textContent).toBe('-LOW = <30>\n');
    expect(element.querySelector('.dm-Legend')?.textContent).toContain('2 B: EUR-USD');
    view.dispose();
    expect(drawn).toEqual([]);
  });

  it('says so when nothing was changed', () => {
    const element = document.createElement('div');
    const same = { ...comparison(), changed: { head: [], rows: [] }, code: [] };
    showComparison(element, same).dispose();
    expect(element.textContent).toContain('The same code, arguments and data.');
  });
});

describe('what is shown', () => {
  it.each([
    [{ result: result('A') }, 'A'],
    [{ comparison: comparison() }, '2 backtests side by side']
  ])('is a result or a comparison', (shown, heading) => {
    const element = document.createElement('div');
    showContent(element, shown).dispose();
    expect(element.querySelector('h2')?.textContent).toBe(heading);
  });

  it('may come from another release', () => {
    const element = document.createElement('div');
    showContent(element, {}).dispose();
    expect(element.textContent).toContain('not known');
  });
});

describe('an output', () => {
  const model = (id: string, picture: string): IRenderMime.IMimeModel =>
    ({ data: { [MIME]: { result: { ...result(), id, title: id } }, 'text/html': picture } }) as unknown as IRenderMime.IMimeModel;

  it('stays as it is when only its picture is new, and is drawn anew for another result', async () => {
    const renderer = rendererFactory.createRenderer({} as IRenderMime.IRendererOptions);
    await renderer.renderModel(model('one', ''));
    const drawnFirst = renderer.node.firstChild;
    await renderer.renderModel(model('one', '<img>'));
    expect(renderer.node.firstChild).toBe(drawnFirst);
    await renderer.renderModel(model('two', ''));
    expect(renderer.node.textContent).toContain('two');
    expect(renderer.node.firstChild).not.toBe(drawnFirst);
  });
});
