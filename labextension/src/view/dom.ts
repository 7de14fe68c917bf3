type Child = Node | string;

/** An element with attributes and children; text is never read as HTML. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: { [name: string]: string } = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A table with a caption for screen readers, and the first cell of each row as its header. */
export function table(caption: string, head: string[], rows: Child[][]): HTMLTableElement {
  const body = rows.map(([first, ...rest]) =>
    h('tr', {}, h('th', { scope: 'row' }, first), ...rest.map(cell => h('td', {}, cell)))
  );
  return h(
    'table',
    { class: 'dm-Table' },
    h('caption', {}, caption),
    h('thead', {}, h('tr', {}, ...head.map(text => h('th', { scope: 'col' }, text)))),
    h('tbody', {}, ...body)
  );
}
